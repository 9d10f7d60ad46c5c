use deploy_yaml::*;

#[test]
fn roundtrip() {
    let src = b"# head\na: 1\nb: [x, 'y']\nc:\n- 1\n- d: yes\n  e: |\n    hi\n    there\n";
    let v = to_json(src, Dialect::GoYaml11).expect("valid");
    println!("{v}");
    println!("{}", emit_sigs(&v));
    println!("{}", emit_v3(&v, 2));
    for n in parse(src).expect("valid") {
        println!("{}", emit_kyaml(&n));
    }
}
