package dev.pushgate;

/** Where a camera is: three finite numbers, in the units of its scene. */
final class Place {
    final double x;
    final double y;
    final double z;

    Place(double x, double y, double z) {
        this.x = x;
        this.y = y;
        this.z = z;
    }

    /** The place that a message says; null where it says none. */
    static Place of(Json data) {
        Place place = new Place(data.number("x"), data.number("y"), data.number("z"));
        return place.isFinite() ? place : null;
    }

    /** Whether it can be sent. */
    boolean isFinite() {
        return isFinite(x) && isFinite(y) && isFinite(z);
    }

    /** Whether a coordinate differs by more than {@code epsilon}. */
    boolean isFarFrom(Place other, double epsilon) {
        return Math.abs(x - other.x) > epsilon
                || Math.abs(y - other.y) > epsilon
                || Math.abs(z - other.z) > epsilon;
    }

    /** Whether both are the same place. */
    boolean is(Place other) {
        return x == other.x && y == other.y && z == other.z;
    }

    /** The message that says so. */
    String json() {
        return "{\"x\":" + Digits.of(x) + ",\"y\":" + Digits.of(y) + ",\"z\":" + Digits.of(z) + "}";
    }

    private static boolean isFinite(double number) {
        return !Double.isNaN(number) && !Double.isInfinite(number);
    }
}
