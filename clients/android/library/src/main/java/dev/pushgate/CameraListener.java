package dev.pushgate;

/** Hears where the cameras of a scene are, and what becomes of the subscription. */
public interface CameraListener extends StreamListener {
    /**
     * Another client's camera is here now.
     *
     * @param clientId whose
     * @param x in units of the scene
     * @param y in units of the scene
     * @param z in units of the scene
     */
    void onPlace(String clientId, double x, double y, double z);

    /**
     * The gateway has what this camera sent, and everyone gets it.
     *
     * @param x in units of the scene
     * @param y in units of the scene
     * @param z in units of the scene
     */
    default void onEcho(double x, double y, double z) {}
}
