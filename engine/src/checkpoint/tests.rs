use super::*;

#[test]
fn the_demo_model_is_whole() {
    let demo = Weights::demo().unwrap();
    assert_eq!(demo.layout(), Layout::Meta);
    for (name, shape) in demo.config().tensors() {
        assert!(demo.has(&name));
        assert_eq!(demo.load(&name, &shape).unwrap().len(), shape.iter().product::<usize>());
    }
    assert_eq!(demo.load("rope_embed.periods", &[16]).unwrap()[0], 1.0);
}
