package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

import android.content.Context;
import android.graphics.Canvas;
import android.graphics.Color;
import android.graphics.Paint;
import android.os.SystemClock;
import java.util.Locale;

final class ViewCheck {
    private ViewCheck() {}

    public static void eachSenderIsOneRedDiscAndTheHigherTheLarger() {
        CameraView view = view();
        view.onPlace("a", 0, 0, 0);
        view.onPlace("b", 5, 10, 2.5);
        view.onPlace("c", -5, -1000, -2.5);
        view.onPlace("d", 0, 1e300, 0);
        view.onPlace("a", 1, 0, 0);
        same(view.invalidated(), 5);
        // Half of the span is 200 pixels.
        same(drawn(view), "300 150 56, 100 250 4, 200 200 80, 220 200 16");
        view.remove("b");
        view.remove("nobody");
        same(drawn(view), "100 250 4, 200 200 80, 220 200 16");
        view.clear();
        same(drawn(view), "");
    }

    public static void onesOwnCameraIsARing() {
        CameraView view = view();
        view.onEcho(0, 0, 10);
        view.onEcho(0, 0, 5);
        Canvas canvas = new Canvas();
        view.draw(canvas);
        same(canvas.circles.size(), 1);
        same(canvas.circles.get(0).style, Paint.Style.STROKE);
        same(canvas.circles.get(0).y, 100f);
    }

    public static void aFingerFindsWhatLiesUnderIt() {
        CameraView view = view();
        same(view.xAt(300), 5.0);
        same(view.zAt(100), 5.0);
        view.setSpan(40);
        same(view.xAt(300), 10.0);
        check(!Double.isNaN(new CameraView(new Context()).xAt(0)), "before it has a size");
    }

    public static void whoIsSilentForLongIsShownNoMoreAndTheNumberIsBounded() {
        CameraView view = view();
        view.onPlace("old", 0, 0, 0);
        SystemClock.jump(500_000);
        view.onPlace("young", 0, 0, 0);
        same(drawn(view), "200 200 16, 200 200 16");
        SystemClock.jump(200_000);
        same(drawn(view), "200 200 16");
        for (int number = 0; number < 2 * CameraView.MOST; number += 1) {
            view.onPlace("many " + number, number, 0, 0);
        }
        Canvas canvas = new Canvas();
        view.draw(canvas);
        same(canvas.circles.size(), CameraView.MOST);
    }

    private static CameraView view() {
        CameraView view = new CameraView(new Context());
        view.layout(400, 400);
        return view;
    }

    /** Where the circles are and how large, in their order. */
    private static String drawn(CameraView view) {
        Canvas canvas = new Canvas();
        view.draw(canvas);
        StringBuilder drawn = new StringBuilder();
        for (Canvas.Circle circle : canvas.circles) {
            same(circle.color, Color.RED);
            String each = String.format(Locale.ROOT, "%.0f %.0f %.0f", circle.x, circle.y, circle.radius);
            drawn.append(drawn.length() == 0 ? "" : ", ").append(each);
        }
        return drawn.toString();
    }
}
