package android.net;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Tells those who asked whatever a check wants them to hear. */
public class ConnectivityManager {
    public final List<NetworkCallback> callbacks = new CopyOnWriteArrayList<>();

    public static class NetworkCallback {
        public void onAvailable(Network network) {}

        public void onLost(Network network) {}
    }

    public void registerDefaultNetworkCallback(NetworkCallback callback) {
        callbacks.add(callback);
    }

    public void registerNetworkCallback(NetworkRequest request, NetworkCallback callback) {
        callbacks.add(callback);
    }

    public void unregisterNetworkCallback(NetworkCallback callback) {
        callbacks.remove(callback);
    }
}
