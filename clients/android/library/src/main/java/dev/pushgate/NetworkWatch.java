package dev.pushgate;

import android.content.Context;
import android.net.ConnectivityManager;
import android.net.Network;
import android.net.NetworkCapabilities;
import android.net.NetworkRequest;
import android.os.Build;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;

/** Tells a gate of networks that come and go, as long as it is started. */
final class NetworkWatch {
    private static final Logger LOG = Logger.getLogger("dev.pushgate");

    private final ConnectivityManager connectivity;
    private final Gate gate;
    private Callback callback;

    NetworkWatch(Context context, Gate gate) {
        Context application = context.getApplicationContext();
        connectivity =
                (ConnectivityManager) application.getSystemService(Context.CONNECTIVITY_SERVICE);
        this.gate = gate;
    }

    /** Begins to tell. */
    synchronized void start() {
        if (callback != null || connectivity == null) {
            return;
        }
        Callback started = new Callback();
        try {
            if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.N) {
                connectivity.registerDefaultNetworkCallback(started);
            } else {
                NetworkRequest.Builder request = new NetworkRequest.Builder();
                request.addCapability(NetworkCapabilities.NET_CAPABILITY_INTERNET);
                connectivity.registerNetworkCallback(request.build(), started);
            }
            callback = started;
        } catch (RuntimeException refused) {
            // Without the permission, or too many of these in one application: heartbeats and waits still work.
            LOG.log(Level.WARNING, "networks that come and go are not heard of", refused);
        }
    }

    /** Tells nothing any more. */
    synchronized void stop() {
        if (callback != null) {
            connectivity.unregisterNetworkCallback(callback);
            callback = null;
        }
    }

    /** Called on a thread of the system's, one call after the other. */
    private final class Callback extends ConnectivityManager.NetworkCallback {
        /** Those that are there, the newest last; before Android 7 there may be several. */
        private final Set<Network> present = new LinkedHashSet<>();

        private Network last;

        @Override
        public void onAvailable(Network network) {
            if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.N) {
                // The default network is one.
                present.clear();
            }
            present.add(network);
            came(network);
        }

        @Override
        public void onLost(Network network) {
            present.remove(network);
            if (present.isEmpty()) {
                gate.loop.run(gate::networkWent);
            } else if (network.equals(last)) {
                came(present.iterator().next());
            }
        }

        private void came(Network network) {
            boolean isOther = last != null && !last.equals(network);
            last = network;
            gate.loop.run(() -> gate.networkCame(isOther));
        }
    }
}
