//! Curves as SVG, for benches and soaks.

use std::error::Error;
use std::fs;
use std::path::Path;

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

/// Width and height of a picture, in pixels.
const SIZE: (u32, u32) = (900, 420);
/// Told apart by people who see few colours, too.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 86, 86),
];

/// A picture of curves over one pair of axes.
pub struct Plot<'a> {
    pub title: &'a str,
    /// What the horizontal axis counts, with its unit.
    pub x: &'a str,
    /// What the vertical axis counts, with its unit.
    pub y: &'a str,
    /// Whether the vertical axis is logarithmic; values of 0 are left out then.
    pub log: bool,
    /// Names, and points in the order in which they are joined.
    pub series: Vec<(String, Vec<(f64, f64)>)>,
}

impl Plot<'_> {
    /// Writes it, making the directories that are missing.
    ///
    /// # Errors
    ///
    /// If there is no point, or if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let shown = |point: &&(f64, f64)| !self.log || point.1 > 0.0;
        let points = || {
            self.series
                .iter()
                .flat_map(|(_, points)| points.iter())
                .filter(shown)
        };
        let low = points().map(|point| point.1).fold(f64::INFINITY, f64::min);
        let high = points().map(|point| point.1).fold(0.0, f64::max);
        let right = points().map(|point| point.0).fold(0.0, f64::max);
        if !low.is_finite() {
            return Err(format!("{}: there is nothing to plot", self.title).into());
        }
        let x = 0.0..right.max(f64::MIN_POSITIVE) * 1.02;
        if self.log {
            self.draw(path, x, (low / 1.5..high * 1.5).log_scale())
        } else {
            self.draw(path, x, 0.0..high.max(f64::MIN_POSITIVE) * 1.1)
        }
    }

    fn draw<Y>(&self, path: &Path, x: std::ops::Range<f64>, y: Y) -> Result<(), Box<dyn Error>>
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let area = SVGBackend::new(path, SIZE).into_drawing_area();
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        area.fill(&WHITE).map_err(|e| failed(&e))?;
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(72)
            .build_cartesian_2d(x, y)
            .map_err(|e| failed(&e))?;
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .light_line_style(TRANSPARENT)
            .y_label_formatter(&|value| short(*value))
            .x_label_formatter(&|value| short(*value))
            .draw()
            .map_err(|e| failed(&e))?;
        for ((name, points), colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let line = points
                .iter()
                .copied()
                .filter(|point| !self.log || point.1 > 0.0);
            let line = LineSeries::new(line, colour.stroke_width(2)).point_size(2);
            chart
                .draw_series(line)
                .map_err(|e| failed(&e))?
                .label(name.as_str())
                .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(RGBColor(200, 200, 200))
            .draw()
            .map_err(|e| failed(&e))?;
        area.present().map_err(|e| failed(&e))?;
        Ok(())
    }
}

/// A number of an axis: no more digits than it needs.
fn short(value: f64) -> String {
    if value >= 1000.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}").trim_end_matches('0').to_owned()
    }
}
