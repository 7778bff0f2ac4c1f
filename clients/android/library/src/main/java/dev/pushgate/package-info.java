/**
 * A client of a pushgate gateway for Android, on OkHttp.
 *
 * <p>{@link dev.pushgate.PushgateClient} is who one is, {@link dev.pushgate.PushgateCamera} a scene of cameras that
 * one is part of, {@link dev.pushgate.PushgateChannel} any other channel, and {@link dev.pushgate.CameraView} draws a
 * scene. All methods of these may be called from any thread and none of them waits for the network, but for the
 * view's, which is the main thread's as any view.
 *
 * <p>Behind them {@code Gate} keeps the token and {@code Stream} one subscription over all its connections; each
 * {@code Socket} is one of these. They run on one thread of their own, {@code Loop}. Only {@code MainThread},
 * {@code NetworkWatch}, {@code CameraView} and {@code PushgateClient} know Android.
 */
package dev.pushgate;
