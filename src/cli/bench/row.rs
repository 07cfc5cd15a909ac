//! A row of the bench: data first, then a table for a terminal.

use serde::Serialize;

/// One measurement. The keys are a contract with scripts elsewhere; a number that does not exist is null.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    /// `msdnet.forward`, `geometry.surface` …
    pub(super) name: String,
    /// Size of the work in words.
    pub(super) shape: String,
    pub(super) threads: usize,
    /// Median.
    pub(super) seconds: f64,
    /// Floating-point operations a second, 10⁹; a fused multiply-add is two.
    pub(super) gflops: Option<f64>,
    /// Share of the fused multiply-adds that the same threads do without memory, measured between the runs.
    pub(super) peak_share: Option<f64>,
    /// Largest resident memory of the row's process, MB (10⁶ bytes).
    pub(super) peak_rss_mb: Option<f64>,
    /// Seconds over those of the network's forward passes alone (`msdnet.ct`).
    pub(super) over_forward: Option<f64>,
    pub(super) peer: Option<String>,
    pub(super) peer_seconds: Option<f64>,
    /// The peer's seconds over ours.
    pub(super) ratio: Option<f64>,
    pub(super) peer_rss_mb: Option<f64>,
}

/// Returns the middle of some numbers, of an even count the mean of the middle two.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// Returns rows as aligned columns; columns that no row fills are left out.
pub(super) fn table(rows: &[Row]) -> String {
    let number = |value: Option<f64>, digits: usize| value.map_or(String::new(), |value| format!("{value:.digits$}"));
    let cells = |row: &Row| {
        [
            row.name.clone(),
            row.shape.clone(),
            row.threads.to_string(),
            format!("{:.4}", row.seconds),
            number(row.gflops, 1),
            number(row.peak_share.map(|share| 100.0 * share), 1),
            number(row.peak_rss_mb, 0),
            number(row.over_forward, 3),
            row.peer.clone().unwrap_or_default(),
            number(row.peer_seconds, 4),
            number(row.ratio, 2),
            number(row.peer_rss_mb, 0),
        ]
    };
    let head = [
        "name",
        "shape",
        "threads",
        "seconds",
        "GFLOP/s",
        "peak %",
        "MB",
        "x forward",
        "peer",
        "peer s",
        "ratio",
        "peer MB",
    ];
    let texts = |i: usize| !matches!(i, 0 | 1 | 8);
    let body: Vec<_> = rows.iter().map(cells).collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|i| body.iter().map(|row| row[i].chars().count()).max().unwrap_or(0))
        .zip(head)
        .map(|(width, head)| if width == 0 { 0 } else { width.max(head.len()) })
        .collect();
    let line = |row: &[String; 12]| {
        let cells = row.iter().zip(&widths).enumerate().filter(|(_, (_, width))| **width > 0);
        let cells = cells
            .map(|(i, (cell, &width))| if texts(i) { format!("{cell:>width$}") } else { format!("{cell:<width$}") });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    std::iter::once(line(&head.map(str::to_owned))).chain(body.iter().map(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, seconds: f64, peer: Option<&str>) -> Row {
        Row {
            name: name.to_owned(),
            shape: "3 x 4".to_owned(),
            threads: 2,
            seconds,
            gflops: None,
            peak_share: None,
            peak_rss_mb: Some(12.0),
            over_forward: None,
            peer: peer.map(str::to_owned),
            peer_seconds: peer.map(|_| 1.0),
            ratio: peer.map(|_| 1.0 / seconds),
            peer_rss_mb: None,
        }
    }

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        let text = table(&[row("long.name", 0.5, None), row("b", 12.25, Some("other"))]);
        let wanted = "name       shape  threads  seconds  MB  peer   peer s  ratio\n\
                      long.name  3 x 4        2   0.5000  12\n\
                      b          3 x 4        2  12.2500  12  other  1.0000   0.08";
        assert_eq!(text, wanted);
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn keys_do_not_depend_on_what_was_measured() {
        let keys = |row: Row| {
            let json = serde_json::to_value(row).unwrap();
            json.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(keys(row("a", 1.0, None)), keys(row("b", 2.0, Some("other"))));
    }
}
