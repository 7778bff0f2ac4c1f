using Pushgate;

internal static class InboxCases
{
    public static void the_newest_of_each_sender_is_kept()
    {
        var inbox = new Inbox(4, true);
        string[] senders = { "a", "b", "a", "a", "b", "a", "c", "a" };
        for (int index = 0; index < senders.Length; index += 1) Cases.That(inbox.Put(Position(index + 1, senders[index])), "room");
        Cases.Same("e-5 e-7 e-8", All(inbox));
    }

    public static void nothing_is_dropped_while_there_is_room()
    {
        var inbox = new Inbox(4, true);
        for (int offset = 1; offset <= 4; offset += 1) Cases.That(inbox.Put(Position(offset, "a")), "room");
        Cases.Same("e-1 e-2 e-3 e-4", All(inbox));
    }

    public static void what_is_no_position_is_never_dropped()
    {
        var inbox = new Inbox(3, true);
        Cases.That(inbox.Put(PushgateMessage.Read("{\"gap\":{}}")), "room");
        for (int offset = 1; offset <= 9; offset += 1) Cases.That(inbox.Put(Position(offset, "a")), "room");
        Cases.Same(2, inbox.Count);
        Cases.That(inbox.Take().Whole["gap"] != null, "the gap is still there");
        Cases.Same("e-9", All(inbox));
    }

    public static void where_nothing_may_be_dropped_it_is_full()
    {
        var inbox = new Inbox(2, false);
        Cases.That(inbox.Put(Position(1, "a")) && inbox.Put(Position(2, "a")), "room");
        Cases.That(!inbox.Put(Position(3, "a")), "no room");
        Cases.Same("e-1 e-2", All(inbox));
        var many = new Inbox(2, true);
        Cases.That(many.Put(Position(1, "a")) && many.Put(Position(2, "b")), "room");
        Cases.That(!many.Put(Position(3, "c")), "more senders than room");
        Cases.That(many.Put(Position(4, "b")), "one that takes the place of another");
        Cases.Same("e-1 e-4", All(many));
    }

    static PushgateMessage Position(int offset, string clientId)
    {
        return PushgateMessage.Read(FakeGateway.Position(offset, clientId, "1"));
    }

    static string All(Inbox inbox)
    {
        string all = "";
        for (PushgateMessage message = inbox.Take(); message != null; message = inbox.Take()) all += " " + message.Id;
        return all.Trim();
    }
}
