package android.graphics;

import java.util.ArrayList;
import java.util.List;

/** Remembers what is drawn. */
public class Canvas {
    public final List<Circle> circles = new ArrayList<>();

    public static final class Circle {
        public final float x;
        public final float y;
        public final float radius;
        public final int color;
        public final Paint.Style style;

        Circle(float x, float y, float radius, Paint paint) {
            this.x = x;
            this.y = y;
            this.radius = radius;
            color = paint.getColor();
            style = paint.getStyle();
        }
    }

    public void drawCircle(float x, float y, float radius, Paint paint) {
        circles.add(new Circle(x, y, radius, paint));
    }
}
