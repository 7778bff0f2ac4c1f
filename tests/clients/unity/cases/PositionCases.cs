using Pushgate;

internal static class PositionCases
{
    public static void what_was_delivered_is_not_again()
    {
        var position = new StreamPosition("e-3");
        Cases.That(!position.Advance("e-3"), "the one it begins behind");
        Cases.That(position.Advance("e-4"), "the next");
        Cases.That(!position.Advance("e-4"), "the same");
        Cases.That(position.Advance("f-1"), "another epoch");
        Cases.Same("f-1", position.Since);
        Cases.That(position.Advance("what is this"), "an id of another kind");
        Cases.Same("f-1", position.Since);
    }

    public static void a_start_is_never_a_step_back()
    {
        var position = new StreamPosition(null);
        Cases.Same(null, position.Since);
        position.StartAt("e-5");
        position.StartAt("e-2");
        Cases.Same("e-5", position.Since);
        position.StartAt("f-2");
        Cases.Same("f-2", position.Since);
        position.SkipTo("f-9");
        Cases.Same("f-8", position.Since);
        position.SkipTo("f-0");
        position.SkipTo(null);
        Cases.Same("f-8", position.Since);
    }

    public static void epochs_may_have_dashes()
    {
        var position = new StreamPosition("a-b-7");
        Cases.That(!position.Advance("a-b-7"), "delivered");
        Cases.That(position.Advance("a-b-8"), "not delivered");
    }
}
