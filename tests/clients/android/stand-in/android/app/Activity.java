package android.app;

import android.content.Context;
import android.os.Bundle;
import android.view.MotionEvent;
import android.view.View;

public class Activity extends Context {
    private View content;

    protected void onCreate(Bundle state) {}

    protected void onStart() {}

    protected void onStop() {}

    protected void onDestroy() {}

    public boolean onTouchEvent(MotionEvent event) {
        return false;
    }

    public void setContentView(View view) {
        content = view;
    }

    public View content() {
        return content;
    }
}
