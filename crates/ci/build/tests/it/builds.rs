//! What steps make.

use std::collections::BTreeMap;

use deploy_build::Secret;

use crate::world::{run, tree};

fn entries(layer: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    layer.iter().map(|(name, what)| (&**name, &**what)).collect()
}

#[test]
fn steps_and_settings() {
    run("steps", |world| {
        world.file("src/a.txt", "a");
        let (built, heard) = world.built(
            "FROM busybox:1\nARG WHO=me\nENV GREETING=\"hi $WHO\"\nRUN echo $GREETING $BASE $WHO; echo x > /x && rm /etc/group\nWORKDIR /srv/app\nCOPY --chown=app src/ ./\nUSER app\nRUN id -u > /tmp/id; pwd >> /tmp/id\nEXPOSE 80\nLABEL a=b\nENTRYPOINT [\"/bin/sh\"]\nCMD [\"-c\", \"true\"]\n",
        );
        assert_eq!(heard.lines, ["hi me yes me"]);
        assert_eq!((built.steps, built.cached, built.layers), (4, 0, 5));
        let layers = world.layers();
        let last: Vec<&str> = layers[0].keys().map(String::as_str).collect();
        assert_eq!(last, ["tmp", "tmp/id"]);
        assert_eq!(layers[0]["tmp/id"], "644 1000:1001 1000\n/srv/app\n");
        assert_eq!(layers[1]["srv/app/a.txt"], "644 1000:1001 a");
        assert_eq!(layers[2]["srv/app"], "755 0:0 /");
        assert_eq!(
            entries(&layers[3]),
            [
                ("etc", "755 0:0 /"),
                ("etc/group", "0 0:0 device 0"),
                ("x", "644 0:0 x\n")
            ]
        );
        let config = world.config();
        assert_eq!(config["config"]["User"], "app");
        assert_eq!(config["config"]["WorkingDir"], "/srv/app");
        assert_eq!(
            config["config"]["Env"],
            serde_json::json!(["PATH=/bin", "BASE=yes", "GREETING=hi me"])
        );
        assert_eq!(
            config["config"]["ExposedPorts"],
            serde_json::json!({"80/tcp": {}})
        );
        assert_eq!(config["created"], "2023-11-14T22:13:20Z");
        let made = config["history"].as_array().unwrap().iter();
        assert_eq!(made.filter(|line| line["empty_layer"] != true).count(), 4);
    });
}

#[test]
fn copies() {
    run("copies", |world| {
        for name in ["d/one", "d/sub/two", "d/skip.md", "e/three"] {
            world.file(name, name);
        }
        world.file(".dockerignore", "**/*.md\n");
        std::os::unix::fs::symlink("one", world.root.join("context/d/link")).unwrap();
        std::fs::hard_link(
            world.root.join("context/d/one"),
            world.root.join("context/d/same"),
        )
        .unwrap();
        world.built("FROM busybox:1\nCOPY d /var/run/in/\nCOPY d/o* e/three /new/\nCOPY --chmod=u=rwX,go= --chown=5:6 e /own\nCOPY --parents d/sub/two e /p/\nCOPY --exclude=sub d /less\nCOPY <<EOF /doc\nhello\nEOF\n");
        let layers = world.layers();
        assert_eq!(
            entries(&layers[5]),
            [
                ("run", "755 0:0 /"),
                ("run/in", "755 0:0 /"),
                ("run/in/link", "777 0:0 -> one"),
                ("run/in/one", "644 0:0 d/one"),
                ("run/in/same", "644 0:0 d/one"),
                ("run/in/sub", "755 0:0 /"),
                ("run/in/sub/two", "644 0:0 d/sub/two"),
            ]
        );
        assert_eq!(
            entries(&layers[4]),
            [
                ("new", "755 0:0 /"),
                ("new/one", "644 0:0 d/one"),
                ("new/three", "644 0:0 e/three")
            ]
        );
        assert_eq!(
            entries(&layers[3]),
            [("own", "700 5:6 /"), ("own/three", "600 5:6 e/three")]
        );
        let kept: Vec<&str> = layers[2].keys().map(String::as_str).collect();
        assert_eq!(kept, ["p", "p/d", "p/d/sub", "p/d/sub/two", "p/e", "p/e/three"]);
        let less: Vec<&str> = layers[1].keys().map(String::as_str).collect();
        assert_eq!(less, ["less", "less/link", "less/one", "less/same"]);
        assert_eq!(entries(&layers[0]), [("doc", "644 0:0 hello\n")]);
    });
}

#[test]
fn stages_and_archives() {
    run("stages", |world| {
        let packed = world.root.join("context/a.tar.gz");
        let file = std::fs::File::create(&packed).unwrap();
        let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        header.set_mode(0o640);
        header.set_uid(7);
        header.set_gid(8);
        archive.append_data(&mut header, "in/file", &b"hi"[..]).unwrap();
        archive.into_inner().unwrap().finish().unwrap();
        let (built, _) = world.built("FROM busybox:1 AS make\nRUN mkdir /out && echo made > /out/it && chown 3:4 /out/it && ln -s it /out/l\nFROM busybox:1 AS never\nRUN false\nFROM busybox:1\nCOPY --from=make /out/l /out/it /got/\nADD a.tar.gz /un/\nADD --chown=1:2 a.tar.gz /un2/\n");
        assert_eq!(built.steps, 4, "the stage that nobody needs is not planned");
        let layers = world.layers();
        assert_eq!(
            entries(&layers[2]),
            [
                ("got", "755 0:0 /"),
                ("got/it", "644 3:4 made\n"),
                ("got/l", "644 3:4 made\n")
            ]
        );
        assert_eq!(layers[1]["un/in/file"], "640 7:8 hi");
        assert_eq!(layers[0]["un2/in/file"], "640 1:2 hi");
    });
}

#[test]
fn mounts_leave_nothing() {
    run("mounts", |world| {
        world.file("lib/f", "context");
        let mut request = world.request("FROM busybox:1 AS other\nRUN echo of-other > /o\nFROM busybox:1\nRUN --mount=type=secret,id=key --mount=type=secret,id=env,env=TOKEN cat /run/secrets/key; echo token=$TOKEN; stat -c %a /run/secrets/key\nRUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t --mount=target=/m,source=lib --mount=from=other,source=/o,target=/o cat /m/f /o; ls /c; echo kept > /c/kept; echo gone > /t/x\nRUN --mount=type=cache,target=/c cat /c/kept\nRUN --network=none ls /sys/class/net\nRUN <<EOF\n#!/bin/sh\necho script $0\nEOF\n");
        for id in ["key", "env"] {
            request
                .secrets
                .insert(id.to_owned(), Secret::new(format!("hidden-{id}").into_bytes()));
        }
        let (built, heard) = world.build(&request);
        built.unwrap_or_else(|error| panic!("{error:?} {:?}", heard.lines));
        assert_eq!(
            heard.lines,
            [
                // Neither the secret nor the file ends its line.
                "***token=***",
                "400",
                "contextof-other",
                "kept",
                "lo",
                "script /dev/pipes/EOF"
            ]
        );
        for layer in world.layers() {
            assert_eq!(entries(&layer), [], "mounts are not in a layer");
        }
        let all: String = tree(&world.root.join("build")).into_values().collect();
        assert!(!all.contains("hidden-"), "a secret is on the disk");
        assert!(!world.config().to_string().contains("hidden-"));
    });
}

#[test]
fn deletions_hide_and_folders_are_replaced() {
    run("deletions", |world| {
        world.built("FROM busybox:1\nRUN mkdir -p /d/e && touch /d/e/f\nRUN rm -r /d/e && mkdir /d/e && touch /d/e/g\nRUN test ! -e /d/e/f && ls /d/e > /seen\n");
        assert_eq!(world.layers()[0]["seen"], "644 0:0 g\n");
        // The same through the archive: the packed layers say what the folders say.
        let mut request = world.request(&std::fs::read_to_string(world.root.join("Dockerfile")).unwrap());
        request.output = Some(world.root.join("out.tar"));
        world.build(&request).0.unwrap();
        let other = deploy_image::Store::open(&world.root.join("other")).unwrap();
        let mut file = std::fs::File::open(world.root.join("out.tar")).unwrap();
        let loaded = other.load_archive(&mut file, None).unwrap();
        let here = world.store.find("it:1").unwrap();
        assert_eq!(loaded[0].image.id, here.id);
        for (ours, theirs) in here.layers.iter().zip(&loaded[0].image.layers) {
            assert_eq!(tree(ours), tree(theirs));
        }
    });
}

#[test]
fn a_linked_layer_hides_nothing() {
    run("link", |world| {
        world.file("x", "x");
        let (_, heard) = world.built("FROM busybox:1\nCOPY --link x /etc/x\nRUN cat /etc/x /etc/group\n");
        assert_eq!(heard.lines, ["xroot:x:0:", "app:x:1001:"]);
        let (_, heard) =
            world.built("FROM busybox:1\nRUN touch /other\nCOPY --link x /etc/x\nRUN cat /etc/x\n");
        assert_eq!(heard.cached, ["COPY --link x /etc/x"]);
    });
}
