//! What is done again, and what is not.

use crate::world::run;

const FILE: &str = "FROM busybox:1 AS make\nCOPY src /src\nRUN cat /src/* > /out\nFROM busybox:1\nCOPY other /other\nCOPY --from=make /out /out\nRUN date +%N > /when\n";

#[test]
fn only_what_has_changed() {
    run("cache", |world| {
        world.file("src/a", "a");
        world.file("other", "o");
        let (first, heard) = world.built(FILE);
        assert_eq!((heard.carried.len(), first.cached), (5, 0));
        let (again, heard) = world.built(FILE);
        assert_eq!(heard.carried, [""; 0]);
        assert_eq!(again.digest, first.digest);
        // The stage that makes /out is not even looked at: the layer made of it is there.
        assert_eq!(again.cached, 3);
        world.file("other", "p");
        let (_, heard) = world.built(FILE);
        assert_eq!(
            heard.carried,
            [
                "COPY other /other",
                "COPY --from=make /out /out",
                "RUN date +%N > /when"
            ]
        );
        world.file("src/a", "b");
        let (changed, heard) = world.built(FILE);
        assert_eq!(heard.carried.len(), 4);
        assert_ne!(changed.digest, first.digest);
        // What was there before is still there.
        world.file("src/a", "a");
        world.file("other", "o");
        assert_eq!(world.built(FILE).0.digest, first.digest);
        let mut request = world.request(FILE);
        request.no_cache = true;
        let (built, heard) = world.build(&request);
        assert_eq!((built.unwrap().cached, heard.carried.len()), (0, 5));
    });
}

/// Two builders that know nothing of each other make the same bytes.
#[test]
fn equal_input_gives_equal_bytes() {
    let file = "FROM busybox:1\nCOPY src /src\nRUN mkdir -p /a/b && echo x > /a/b/c && ln /a/b/c /a/d && ln -s b /a/l && rm /bin/vi\nWORKDIR /w\n";
    let digests = std::cell::RefCell::new(Vec::new());
    for name in ["equal-one", "equal-two"] {
        run(name, |world| {
            world.file("src/f", "f");
            digests.borrow_mut().push(world.built(file).0.digest);
        });
    }
    let digests = digests.into_inner();
    assert!(digests.windows(2).all(|two| two[0] == two[1]), "{digests:?}");
}
