//! Pictures that are part of the program.

/// A picture that is part of the program.
pub struct Sample {
    /// Its file's name.
    pub name: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// The encoded file.
    pub bytes: &'static [u8],
}

/// All of them; the first is open at the first start.
pub static SAMPLES: [Sample; 5] = [
    Sample { name: "chelsea.png", title: "Cat", bytes: include_bytes!("../../../assets/chelsea.png") },
    Sample { name: "coffee.png", title: "Coffee", bytes: include_bytes!("../../../assets/coffee.png") },
    Sample { name: "astronaut.png", title: "Astronaut", bytes: include_bytes!("../../../assets/astronaut.png") },
    Sample { name: "china.jpg", title: "Temple", bytes: include_bytes!("../../../assets/china.jpg") },
    Sample { name: "flower.jpg", title: "Flower", bytes: include_bytes!("../../../assets/flower.jpg") },
];
