package dev.pushgate;

import android.content.Context;
import android.graphics.Canvas;
import android.graphics.Color;
import android.graphics.Paint;
import android.os.SystemClock;
import android.util.AttributeSet;
import android.view.View;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A scene seen from above: a red disc for each camera, the larger the higher it is, and a red ring for one's own.
 *
 * <p>It is the listener of a {@link PushgateCamera} as it stands, or one passes on to it what a listener of one's own
 * hears. {@code x} points right, {@code z} up the screen, {@code y} to the viewer. All methods on the main thread.
 */
public class CameraView extends View implements CameraListener {
    /** Cameras that are drawn at most; beyond it the one that moved longest ago is left out. */
    static final int MOST = 1000;

    /** Hundredths of the shorter edge: a camera on the ground, and the bounds of all. */
    private static final double ON_GROUND = 4;

    private static final double SMALLEST = 1;
    private static final double LARGEST = 20;

    private final Paint disc = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final Paint ring = new Paint(Paint.ANTI_ALIAS_FLAG);
    /** The one that moved longest ago first. */
    private final Map<String, Spot> spots = new LinkedHashMap<>();

    private Place own;
    private double span = 20;
    private long keptMillis = 600_000;

    /**
     * A view made by code.
     *
     * @param context an activity
     */
    public CameraView(Context context) {
        this(context, null);
    }

    /**
     * A view made by a layout.
     *
     * @param context an activity
     * @param attributes of the layout
     */
    public CameraView(Context context, AttributeSet attributes) {
        super(context, attributes);
        disc.setColor(Color.RED);
        ring.setColor(Color.RED);
        ring.setStyle(Paint.Style.STROKE);
    }

    /** A camera, and when it came there. */
    private static final class Spot {
        final Place place;
        final long movedAt;

        Spot(Place place, long movedAt) {
            this.place = place;
            this.movedAt = movedAt;
        }
    }

    /**
     * How much of the scene is shown, with its origin in the middle; 20 unless it is said.
     *
     * @param span units of the scene along the shorter edge, more than 0
     */
    public void setSpan(double span) {
        if (!(span > 0)) {
            throw new IllegalArgumentException("a span is more than 0");
        }
        this.span = span;
        invalidate();
    }

    /**
     * How long a camera is shown that says nothing; 600 unless it is said. Whoever rests sends nothing.
     *
     * @param seconds more than 0
     */
    public void setKept(double seconds) {
        if (!(seconds > 0)) {
            throw new IllegalArgumentException("more than 0 seconds");
        }
        keptMillis = (long) (seconds * 1000);
        invalidate();
    }

    /**
     * A camera is gone.
     *
     * @param clientId whose
     */
    public void remove(String clientId) {
        if (spots.remove(clientId) != null) {
            invalidate();
        }
    }

    /** Forgets all cameras. */
    public void clear() {
        spots.clear();
        own = null;
        invalidate();
    }

    @Override
    public void onPlace(String clientId, double x, double y, double z) {
        // Behind those that moved before.
        spots.remove(clientId);
        spots.put(clientId, new Spot(new Place(x, y, z), SystemClock.elapsedRealtime()));
        if (spots.size() > MOST) {
            Iterator<String> oldest = spots.keySet().iterator();
            oldest.next();
            oldest.remove();
        }
        invalidate();
    }

    @Override
    public void onEcho(double x, double y, double z) {
        own = new Place(x, y, z);
        invalidate();
    }

    /**
     * What of the scene lies under a point of this view, as for a finger that moves a camera.
     *
     * @param pixels from the left edge
     * @return in units of the scene
     */
    public double xAt(float pixels) {
        return (pixels - getWidth() / 2.0) / scale();
    }

    /**
     * What of the scene lies under a point of this view.
     *
     * @param pixels from the upper edge
     * @return in units of the scene
     */
    public double zAt(float pixels) {
        return (getHeight() / 2.0 - pixels) / scale();
    }

    @Override
    protected void onDraw(Canvas canvas) {
        super.onDraw(canvas);
        long oldest = SystemClock.elapsedRealtime() - keptMillis;
        Iterator<Spot> all = spots.values().iterator();
        while (all.hasNext()) {
            Spot spot = all.next();
            if (spot.movedAt < oldest) {
                all.remove();
            } else {
                draw(canvas, spot.place, disc);
            }
        }
        if (own != null) {
            ring.setStrokeWidth((float) (shorterEdge() / 100));
            draw(canvas, own, ring);
        }
    }

    private void draw(Canvas canvas, Place place, Paint paint) {
        double x = getWidth() / 2.0 + place.x * scale();
        double y = getHeight() / 2.0 - place.z * scale();
        double size = ON_GROUND + 20 * place.y / span;
        double radius = Math.max(SMALLEST, Math.min(LARGEST, size)) * shorterEdge() / 100;
        canvas.drawCircle((float) x, (float) y, (float) radius, paint);
    }

    /** Pixels a unit of the scene. */
    private double scale() {
        return Math.max(1, shorterEdge()) / span;
    }

    private double shorterEdge() {
        return Math.min(getWidth(), getHeight());
    }
}
