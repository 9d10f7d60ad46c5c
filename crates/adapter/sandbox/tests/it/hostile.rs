//! Images and containers that mean harm.

use std::fs;
use std::os::unix::fs::symlink;

use deploy_sandbox::{Mount, Sandbox};

use crate::world::{World, run};

/// A layer above the usual one.
fn above(world: &World, name: &str) -> std::path::PathBuf {
    let path = world.root.join(name);
    fs::create_dir_all(&path).unwrap();
    path
}

async fn fine(world: &World, sandbox: &Sandbox, id: &str) {
    let (exit, _, err) = world.finish(sandbox, world.container(id, "true")).await;
    assert_eq!((exit.code, err.as_str()), (0, ""));
}

#[test]
fn links_in_an_image_lead_nowhere() {
    run("links", |world| async move {
        let sandbox = world.sandbox().await;
        let prey = world.root.join("prey");
        fs::create_dir_all(&prey).unwrap();
        let evil = above(&world, "evil");
        symlink(&prey, evil.join("mnt")).unwrap();
        symlink("/../../../../../../../../etc", evil.join("up")).unwrap();
        symlink("/proc/self/fd", evil.join("fds")).unwrap();
        // To where nothing is in the container: refused.
        let mut spec = world.container("one", "true");
        spec.rootfs.lower.insert(0, evil.clone());
        spec.mounts = vec![Mount::bind(&prey, "/mnt/made", true)];
        let error = sandbox.create_container(spec).await.unwrap_err();
        assert!(error.to_string().contains("/mnt/made"), "{error}");
        assert_eq!(
            fs::read_dir(&prey).unwrap().count(),
            0,
            "nothing is made outside of the container"
        );
        // To what is there: the container's own.
        let mut spec = world.container("one", "ls -d /etc/made; echo x > /up/made/y");
        spec.rootfs.lower.insert(0, evil.clone());
        spec.mounts = vec![Mount::bind(&prey, "/up/made", true)];
        let (_, out, err) = world.finish(&sandbox, spec).await;
        assert_eq!(out, "/etc/made\n");
        assert!(err.contains("Read-only"), "{err}");
        assert!(!std::path::Path::new("/etc/made").exists());
        // /proc and /dev as links.
        let evil = above(&world, "proc");
        symlink("/etc", evil.join("proc")).unwrap();
        let mut spec = world.container("two", "true");
        spec.rootfs.lower.insert(0, evil);
        assert!(sandbox.create_container(spec).await.is_err());
        // The folder to start in leads out through an open file.
        for number in 3..20 {
            let mut spec = world.container("three", "cat etc/hostname ../etc/hostname ../../etc/hostname");
            spec.cwd = format!("/proc/self/fd/{number}");
            if sandbox.create_container(spec).await.is_ok() {
                sandbox.remove("three").await.unwrap();
                panic!("starts in open file {number}");
            }
        }
        fine(&world, &sandbox, "last").await;
        sandbox.stop().await.unwrap();
    });
}

#[test]
fn a_sub_path_stays_in_its_volume() {
    run("sub-path", |world| async move {
        let sandbox = world.sandbox().await;
        let volume = world.root.join("volume");
        fs::create_dir_all(volume.join("inner")).unwrap();
        symlink("/etc", volume.join("out")).unwrap();
        symlink("..", volume.join("up")).unwrap();
        symlink("inner", volume.join("in")).unwrap();
        for (place, (sub_path, allowed)) in
            [("in", true), ("out", false), ("up", false), ("../volume", false)]
                .into_iter()
                .enumerate()
        {
            let id = format!("c{place}");
            let mut spec = world.container(&id, "true");
            let mut mount = Mount::bind(&volume, "/v", false);
            mount.sub_path = Some(sub_path.into());
            spec.mounts.push(mount);
            let outcome = sandbox.create_container(spec).await;
            assert_eq!(outcome.is_ok(), allowed, "{sub_path}: {outcome:?}");
        }
        sandbox.stop().await.unwrap();
    });
}

#[test]
fn an_image_cannot_make_the_shim_load_or_wait() {
    run("passwd", |world| async move {
        let sandbox = world.sandbox().await;
        let evil = above(&world, "evil");
        fs::create_dir_all(evil.join("etc")).unwrap();
        // A pipe that nobody writes to, where the home folder is looked up.
        let made = std::process::Command::new("mkfifo")
            .arg(evil.join("etc/passwd"))
            .status()
            .unwrap();
        assert!(made.success());
        let mut spec = world.container("one", "echo $HOME");
        spec.rootfs.lower.insert(0, evil);
        let (_, out, _) = world.finish(&sandbox, spec).await;
        assert_eq!(out, "/\n");
        let evil = above(&world, "link");
        fs::create_dir_all(evil.join("etc")).unwrap();
        fs::write(world.root.join("secret"), "x:x:0:0::/secret:\n").unwrap();
        symlink(world.root.join("secret"), evil.join("etc/passwd")).unwrap();
        let mut spec = world.container("two", "echo $HOME");
        spec.rootfs.lower.insert(0, evil);
        let (_, out, _) = world.finish(&sandbox, spec).await;
        assert_eq!(out, "/\n", "links are followed inside of the image only");
        sandbox.stop().await.unwrap();
    });
}

#[test]
fn layers_of_any_name_and_number_are_mounted() {
    run("layers", |world| async move {
        let sandbox = world.sandbox().await;
        let mut spec = world.container("one", "cat /n; ls /names | wc -l");
        for number in 0..120 {
            let layer = world
                .root
                .join(format!("layer:{number},with\\odd-{}", "long".repeat(20)));
            fs::create_dir_all(layer.join("names")).unwrap();
            fs::write(layer.join("names").join(number.to_string()), "").unwrap();
            fs::write(layer.join("n"), format!("{number}\n")).unwrap();
            spec.rootfs.lower.insert(0, layer);
        }
        let (_, out, err) = world.finish(&sandbox, spec).await;
        assert_eq!((out.as_str(), err.as_str()), ("119\n120\n", ""));
        sandbox.stop().await.unwrap();
    });
}
