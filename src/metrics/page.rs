//! What is scraped: text of `OpenMetrics`.

use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::count::{BOUNDS, Counts, Sample, Timing};
use super::{Metric, Number};

/// The media type of a [`page`]: `OpenMetrics` 1.0, which Prometheus and its kin read.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The page that `tell` writes.
pub fn page(tell: impl Fn(&mut Page<'_>) -> fmt::Result + Send + Sync + 'static) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(tell)));
    let mut page = String::new();
    // A string takes all that is written.
    let _ = text::encode(&mut page, &registry);
    page
}

/// What is scraped, while it is written. None of its functions fails on a page of [`page`].
#[derive(Debug)]
pub struct Page<'a>(DescriptorEncoder<'a>);

struct Scrape<F>(F);

impl<F: Fn(&mut Page<'_>) -> fmt::Result + Send + Sync + 'static> Collector for Scrape<F> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        (self.0)(&mut Page(encoder))
    }
}

impl<F> fmt::Debug for Scrape<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Page<'_> {
    /// Writes a metric with its `samples`.
    ///
    /// # Errors
    /// That of the writer.
    pub fn tell(
        &mut self,
        metric: &Metric,
        samples: impl IntoIterator<Item = Sample>,
    ) -> fmt::Result {
        let mut encoder = self.begin(metric)?;
        for (values, number) in samples {
            if metric.labels.is_empty() {
                write(&mut encoder, metric, number)?;
                continue;
            }
            let labels: Vec<_> = metric.labels.iter().copied().zip(values).collect();
            write(&mut encoder.encode_family(&labels)?, metric, number)?;
        }
        Ok(())
    }

    /// Writes a metric that is one number.
    ///
    /// # Errors
    /// That of the writer.
    pub fn tell_one(&mut self, metric: &Metric, number: impl Into<Number>) -> fmt::Result {
        self.tell(metric, [(Vec::new(), number.into())])
    }

    /// Writes a metric that several have counted: by each of its labels the sum of their numbers.
    ///
    /// # Errors
    /// That of the writer.
    pub fn tell_sum<'a>(
        &mut self,
        metric: &Metric,
        parts: impl IntoIterator<Item = &'a dyn Counts>,
    ) -> fmt::Result {
        let sum = parts.into_iter().map(Counts::numbers).reduce(|mut sum, part| {
            for ((_, sum), (_, number)) in sum.iter_mut().zip(part) {
                *sum = sum.wrapping_add(number);
            }
            sum
        });
        let samples = sum.unwrap_or_default().into_iter();
        self.tell(metric, samples.map(|(values, number)| (values, Number::Whole(number))))
    }

    /// Writes a histogram of what several have seen.
    ///
    /// # Errors
    /// That of the writer.
    pub fn tell_timings<'a>(
        &mut self,
        metric: &Metric,
        parts: impl IntoIterator<Item = &'a Timing>,
    ) -> fmt::Result {
        let bounds = BOUNDS.iter().map(|micros| f64::from(*micros) / 1e6).chain([f64::INFINITY]);
        let mut buckets: Vec<(f64, u64)> = bounds.map(|bound| (bound, 0)).collect();
        let mut time = Duration::ZERO;
        for part in parts {
            for ((_, sum), number) in buckets.iter_mut().zip(part.buckets()) {
                *sum += number;
            }
            time += part.time();
        }
        let count = buckets.iter().map(|(_, count)| count).sum();
        let mut encoder = self.begin(metric)?;
        encoder.encode_histogram::<NoLabelSet>(time.as_secs_f64(), count, &buckets, None)
    }

    /// Writes what does not change as the labels of a 1.
    ///
    /// # Errors
    /// That of the writer.
    pub fn tell_info(&mut self, metric: &Metric, values: &[&'static str]) -> fmt::Result {
        let labels: Vec<_> = metric.labels.iter().copied().zip(values.iter().copied()).collect();
        self.begin(metric)?.encode_info(&labels)
    }

    fn begin(&mut self, metric: &Metric) -> Result<MetricEncoder<'_>, fmt::Error> {
        // OpenMetrics keeps the endings for samples.
        let ending = match metric.kind {
            MetricType::Counter => "_total",
            MetricType::Info => "_info",
            MetricType::Gauge | MetricType::Histogram | MetricType::Unknown => "",
        };
        let name = metric.name.strip_suffix(ending).unwrap_or(metric.name);
        self.0.encode_descriptor(name, metric.help, None, metric.kind)
    }
}

fn write(encoder: &mut MetricEncoder<'_>, metric: &Metric, number: Number) -> fmt::Result {
    let is_counter = matches!(metric.kind, MetricType::Counter);
    match number {
        Number::Whole(number) if is_counter => {
            encoder.encode_counter::<NoLabelSet, _, u64>(&number, None)
        }
        Number::Whole(number) => encoder.encode_gauge(&number),
        Number::Seconds(number) if is_counter => {
            encoder.encode_counter::<NoLabelSet, _, u64>(&number, None)
        }
        Number::Seconds(number) => encoder.encode_gauge(&number),
    }
}
