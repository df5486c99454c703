//! How strongly to regularise, as people write it.

/// `--c`
#[derive(Clone, Debug, PartialEq)]
pub struct Cs(pub Vec<f64>);

impl Cs {
    /// A number, or FIRST:LAST:COUNT by equal factors.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no C: give a number above 0, or FIRST:LAST:COUNT as in 1e-7:1:8");
        let number = |text: &str| text.parse().ok().filter(|c: &f64| c.is_finite() && *c > 0.0).ok_or_else(wrong);
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            [one] => Ok(Self(vec![number(one)?])),
            [first, last, count] => {
                let count: usize = count.parse().ok().filter(|count| (2..=1000).contains(count)).ok_or_else(wrong)?;
                let (first, last) = (number(first)?, number(last)?);
                // By powers of ten, as numpy's logspace, so that 1e-7:1:8 ends at 1.
                let (start, end) = (first.log10(), last.log10());
                let power = |i: usize| start + (end - start) * i as f64 / (count - 1) as f64;
                Ok(Self((0..count).map(|i| 10f64.powf(power(i))).collect()))
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_geometric() {
        let Cs(cs) = Cs::parse("1e-7:1:8").unwrap();
        assert_eq!((cs.len(), cs[7]), (8, 1.0));
        assert!(cs.iter().zip(-7..).all(|(c, power)| (c / 10f64.powi(power) - 1.0).abs() < 1e-12), "{cs:?}");
        assert_eq!(Cs::parse("0.5").unwrap().0, [0.5]);
        for wrong in ["", "0", "-1", "a", "1:2", "1:2:1", "1:2:3:4", "inf"] {
            assert!(Cs::parse(wrong).is_err(), "{wrong}");
        }
    }
}
