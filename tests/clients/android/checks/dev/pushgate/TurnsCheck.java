package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

final class TurnsCheck {
    private TurnsCheck() {}

    public static void callbacksComeOneAfterTheOtherOnManyThreads() throws InterruptedException {
        ExecutorService pool = Executors.newFixedThreadPool(8);
        Turns turns = new Turns(pool);
        List<Integer> seen = new ArrayList<>();
        AtomicInteger within = new AtomicInteger();
        CountDownLatch done = new CountDownLatch(3000);
        for (int number = 0; number < 3000; number += 1) {
            int mine = number;
            turns.add(
                    () -> {
                        check(within.incrementAndGet() == 1, "two at once");
                        seen.add(mine);
                        within.decrementAndGet();
                        done.countDown();
                        if (mine % 3 == 0) {
                            throw new IllegalStateException("on purpose");
                        }
                        if (mine % 3 == 1) {
                            throw new AssertionError("on purpose");
                        }
                    });
        }
        check(done.await(10, TimeUnit.SECONDS), "all of them");
        for (int number = 0; number < 3000; number += 1) {
            same(seen.get(number), number);
        }
        pool.shutdown();
    }

    public static void readersWaitForRoom() throws InterruptedException {
        List<Runnable> held = new ArrayList<>();
        Turns turns = new Turns(held::add);
        for (int number = 0; number < Turns.MOST; number += 1) {
            check(turns.waitForRoom(1), "there is room");
            turns.add(() -> {});
            turns.came();
        }
        check(!turns.waitForRoom(1), "there is none");
        Thread reader = Thread.currentThread();
        Thread main =
                new Thread(
                        () -> {
                            while (reader.getState() != Thread.State.TIMED_WAITING) {
                                Thread.yield();
                            }
                            held.remove(0).run();
                        });
        main.start();
        check(turns.waitForRoom(10_000), "there is again");
        main.join();
        same(held.size(), 1);
    }

    public static void whatIsReadButNoCallbackYetTakesRoom() throws InterruptedException {
        Turns turns = new Turns(Runnable::run);
        for (int number = 0; number < Turns.MOST; number += 1) {
            check(turns.waitForRoom(1), "there is room");
        }
        check(!turns.waitForRoom(1), "there is none");
        turns.came();
        check(turns.waitForRoom(1), "there is again");
    }

    public static void anExecutorThatHasEndedHoldsNobodyUp() throws InterruptedException {
        ExecutorService ended = Executors.newSingleThreadExecutor();
        ended.shutdown();
        Turns turns = new Turns(ended);
        for (int number = 0; number < 2 * Turns.MOST; number += 1) {
            turns.add(() -> {});
            check(turns.waitForRoom(1000), "there is room");
            turns.came();
        }
    }
}
