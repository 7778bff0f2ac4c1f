package dev.pushgate;

import static dev.pushgate.Checks.check;
import static dev.pushgate.Checks.same;

import java.math.BigDecimal;
import java.util.Random;

final class DigitsCheck {
    private DigitsCheck() {}

    public static void numbersHaveThePointAndNoDigitTooMany() {
        same(Digits.of(3), "3");
        same(Digits.of(-0.75), "-0.75");
        same(Digits.of(0.375), "0.375");
        same(Digits.of(-0.0), "0");
        same(Digits.of(1234567.5), "1234567.5");
        same(Digits.of(0.1 + 0.2), "0.30000000000000004");
        same(Digits.of(2e-3), "0.002");
        same(Digits.of(1e-7), "1E-7");
        same(Digits.of(1e20), "100000000000000000000");
        same(Digits.of(1e23), "1E+23");
        same(Digits.of(Double.MIN_VALUE), "5E-324");
        same(Digits.of(2.0E-322), "2E-322");
        same(Digits.of(Double.MAX_VALUE), "1.7976931348623157E+308");
        same(new Place(0.1, -1e-7, 1e6).json(), "{\"x\":0.1,\"y\":-1E-7,\"z\":1000000}");
    }

    public static void anyNumberComesBackFromItsDigits() {
        Random random = new Random(7);
        for (int round = 0; round < 4000; round += 1) {
            double bits = Double.longBitsToDouble(random.nextLong());
            double place = random.nextGaussian() * 100;
            // As a sensor's floats become doubles.
            double wide = (float) place;
            for (double number : new double[] {bits, place, wide}) {
                if (Double.isNaN(number) || Double.isInfinite(number)) {
                    continue;
                }
                String text = Digits.of(number);
                check(Double.parseDouble(text) == number, text + " is not " + number);
                check(Json.parse(text) != null, text + " is no JSON");
                int precision = new BigDecimal(text).stripTrailingZeros().precision();
                check(precision <= 17, text + " has too many digits");
            }
        }
    }
}
