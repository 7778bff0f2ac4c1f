package dev.pushgate;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;

/** Numbers as JSON has them: with '.' in every country, and with the fewest digits that mean this number. */
final class Digits {
    /** Whole numbers below it have no fraction that a double could not show. */
    private static final double WHOLE = 1e15;

    private Digits() {}

    /** The text of a finite number. */
    static String of(double number) {
        // Minus nothing is nothing.
        if (number == Math.rint(number) && Math.abs(number) < WHOLE) {
            return Long.toString((long) number);
        }
        // What the platform prints means this number; some versions give a digit more than they must.
        BigDecimal shortest = new BigDecimal(Double.toString(number)).stripTrailingZeros();
        while (shortest.precision() > 1) {
            BigDecimal shorter = shorter(number, shortest.precision() - 1);
            if (shorter.doubleValue() != number) {
                break;
            }
            shortest = shorter;
        }
        boolean isPlain = Math.abs(number) >= 1e-6 && Math.abs(number) < 1e21;
        return isPlain ? shortest.toPlainString() : shortest.toString();
    }

    private static BigDecimal shorter(double number, int precision) {
        MathContext context = new MathContext(precision, RoundingMode.HALF_EVEN);
        return new BigDecimal(number).round(context).stripTrailingZeros();
    }
}
