package android.view;

public final class MotionEvent {
    private final float x;
    private final float y;

    public MotionEvent(float x, float y) {
        this.x = x;
        this.y = y;
    }

    public float getX() {
        return x;
    }

    public float getY() {
        return y;
    }
}
