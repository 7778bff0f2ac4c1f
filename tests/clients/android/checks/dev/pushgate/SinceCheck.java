package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

final class SinceCheck {
    private SinceCheck() {}

    public static void nothingComesTwiceWithinAnEpoch() {
        Since since = new Since();
        check(since.id() == null, "it begins with nothing");
        since.startAt("a-b-7");
        check(since.advance("a-b-8") && !since.advance("a-b-8") && !since.advance("a-b-3"), "once each");
        same(since.id(), "a-b-8");
        since.startAt("a-b-5");
        same(since.id(), "a-b-8");
        check(since.advance("other-1"), "another epoch begins anew");
        since.startAt("third-0");
        same(since.id(), "third-0");
        check(since.advance("third-1"), "what follows");
    }

    public static void aGapLeadsToTheOneBeforeTheNext() {
        Since since = new Since();
        since.startAt("a-100");
        since.skipTo("b-7");
        same(since.id(), "b-6");
        check(since.advance("b-7"), "the next one");
    }

    public static void whatIsNoIdIsNoReasonToStop() {
        Since since = new Since();
        since.startAt("a-4");
        for (String junk : new String[] {"", "-", "-7", "a-", "a-x", "a-99999999999999999999", "a-٣"}) {
            check(since.advance(junk), junk);
            since.skipTo(junk);
        }
        same(since.id(), "a-4");
        check(since.advance("a-5"), "and it goes on");
    }
}
