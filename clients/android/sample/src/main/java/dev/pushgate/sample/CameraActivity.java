package dev.pushgate.sample;

import android.app.Activity;
import android.os.Bundle;
import android.view.MotionEvent;
import dev.pushgate.CameraView;
import dev.pushgate.PushgateCamera;
import dev.pushgate.PushgateClient;

/** Shows the cameras of a scene from above; a finger moves one's own. */
public class CameraActivity extends Activity {
    /** How an emulator reaches the machine it runs on. */
    private static final String GATEWAY = "http://10.0.2.2:8080";

    /** As somebody who stands, in metres. */
    private static final double EYES = 1.6;

    private PushgateClient client;
    private PushgateCamera camera;
    private CameraView view;

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        view = new CameraView(this);
        setContentView(view);
        client = PushgateClient.builder(this, GATEWAY).build();
        camera = client.camera("camera", view);
        camera.open();
    }

    @Override
    protected void onStart() {
        super.onStart();
        client.resume();
    }

    @Override
    protected void onStop() {
        client.pause();
        super.onStop();
    }

    @Override
    protected void onDestroy() {
        client.close();
        super.onDestroy();
    }

    @Override
    public boolean onTouchEvent(MotionEvent event) {
        int[] corner = new int[2];
        view.getLocationInWindow(corner);
        double x = view.xAt(event.getX() - corner[0]);
        double z = view.zAt(event.getY() - corner[1]);
        return camera.move(x, EYES, z);
    }
}
