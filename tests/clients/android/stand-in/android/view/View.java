package android.view;

import android.content.Context;
import android.graphics.Canvas;
import android.util.AttributeSet;

public class View {
    private volatile int invalidated;
    private int width;
    private int height;

    public View(Context context, AttributeSet attributes) {}

    protected void onDraw(Canvas canvas) {}

    public final int getWidth() {
        return width;
    }

    public final int getHeight() {
        return height;
    }

    public void getLocationInWindow(int[] corner) {
        corner[0] = 0;
        corner[1] = 0;
    }

    public void invalidate() {
        invalidated += 1;
    }

    /** How often it asked to be drawn. */
    public int invalidated() {
        return invalidated;
    }

    public void layout(int right, int bottom) {
        width = right;
        height = bottom;
    }

    public void draw(Canvas canvas) {
        onDraw(canvas);
    }
}
