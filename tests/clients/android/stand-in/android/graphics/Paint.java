package android.graphics;

public class Paint {
    public static final int ANTI_ALIAS_FLAG = 1;

    private int color;
    private Style style = Style.FILL;

    public enum Style {
        FILL,
        STROKE
    }

    public Paint(int flags) {}

    public int getColor() {
        return color;
    }

    public void setColor(int color) {
        this.color = color;
    }

    public Style getStyle() {
        return style;
    }

    public void setStyle(Style style) {
        this.style = style;
    }

    public void setStrokeWidth(float width) {}
}
