package dev.pushgate;

/** A clock that never jumps; on Android one that goes on while the device sleeps. */
interface Clock {
    /** Nanoseconds since some moment of its own. */
    long nanos();
}
