//! Copies of the data directory: whole or refused, whatever happens while one is made or put back.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::common::client::{TestClient, Transport};
use super::common::guarded;
use super::common::http::Request;
use super::common::node::{Home, TestNode, command};
use super::common::preload::compile;
use super::database::{Database, Engine};
use super::{DURABLE, all, id_of, offset_of, say};

/// How many of the moments at which a command changes something on a disk lie between two that are tried.
const STRIDE: usize = 4;

/// Directories for copies, and a library that halts who makes them.
pub(super) struct Copies {
    home: Home,
    library: PathBuf,
}

impl Copies {
    pub(super) fn new() -> Self {
        let home = Home::fresh();
        let library = compile("durable/halt.c", &home);
        Self { home, library }
    }

    /// A directory that is not there.
    fn fresh(&self) -> PathBuf {
        self.home.path().join(uuid::Uuid::new_v4().to_string())
    }

    /// A copy of the data of a node, by now.
    pub(super) async fn of(&self, node: &TestNode) -> PathBuf {
        let copy = self.fresh();
        run("backup", &copy, &node.data_dir()).await.is_good();
        copy
    }

    fn command(&self, verb: &str, copy: &Path, data: &Path) -> tokio::process::Command {
        let mut command = command();
        command.arg(verb).arg(copy).arg("--data-dir").arg(data).env("LD_PRELOAD", &self.library);
        command
    }

    /// Runs it until it is halted before a moment, by `kill -9`; whether it was.
    async fn kill_at(&self, moment: u32, verb: &str, copy: &Path, data: &Path) -> bool {
        let mut command = self.command(verb, copy, data);
        command.env("HALT_AT", moment.to_string()).env("HALT_WITH", libc::SIGKILL.to_string());
        let ended = Ended::of(&mut command).await;
        assert!(matches!(ended.code, None | Some(0)), "{moment}: {}", ended.told);
        ended.code.is_none()
    }
}

/// How a command ended, and what it said.
struct Ended {
    code: Option<i32>,
    told: String,
}

impl Ended {
    async fn of(command: &mut tokio::process::Command) -> Self {
        let output = guarded("its end", command.output()).await.unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code(), told }
    }

    fn is_good(&self) {
        assert_eq!((self.code, self.told.as_str()), (Some(0), ""));
    }

    fn says(&self, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{}", self.told);
        assert!(words.iter().all(|word| self.told.contains(word)), "{words:?}: {}", self.told);
    }
}

async fn run(verb: &str, copy: &Path, data: &Path) -> Ended {
    Ended::of(command().arg(verb).arg(copy).arg("--data-dir").arg(data)).await
}

/// A gateway on a directory that it refuses.
async fn start(data: &Path) -> Ended {
    let mut gateway = command();
    gateway.args(["--bind", "127.0.0.1", "--port", "0", "--data-dir"]).arg(data);
    Ended::of(&mut gateway).await
}

fn names(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The epoch of the root in the file of a directory; none where there is none to be read.
fn epoch(data: &Path) -> Option<String> {
    let file = rusqlite::Connection::open(data.join("pushgate.db")).ok()?;
    let sql = "SELECT epoch FROM pushgate_channels WHERE name = ''";
    file.query_row(sql, [], |row| row.get(0)).ok()
}

/// A node with a few messages, and who said them.
async fn spoken() -> (TestNode, super::Login) {
    let node = TestNode::with_config(DURABLE).await;
    let alice = node.login().await;
    say(&node, &alice, 20).await;
    (node, alice)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_posted_to_is_copied_and_not_called_torn() {
    let mut node = TestNode::with_config(DURABLE).await;
    let (alice, copies) = (node.login().await, Copies::new());
    let mut posters = Vec::new();
    for _ in 0..4 {
        let mut poster = node.poster(&alice, "").await;
        posters.push(tokio::spawn(async move {
            let value = "x".repeat(6000);
            while poster.try_post(&value).await.is_some() {}
        }));
    }
    let mut copy = copies.of(&node).await;
    for _ in 0..5 {
        copy = copies.of(&node).await;
    }
    posters.iter().for_each(tokio::task::JoinHandle::abort);
    node.terminate().await;
    std::fs::remove_dir_all(node.data_dir()).unwrap();
    run("restore", &copy, &node.data_dir()).await.is_good();
    node.start_again().await;
    let kept = all(&node, &alice, "since", "0").await;
    assert!(kept.iter().map(|message| offset_of(id_of(message))).eq(1..=kept.len() as u64));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_not_what_was_written_is_refused_by_name() {
    let (node, _) = spoken().await;
    let copies = Copies::new();
    let copy = copies.of(&node).await;
    let database = std::fs::read(copy.join("pushgate.db")).unwrap();
    let mut flipped = database.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let whole = std::fs::read_to_string(copy.join("manifest")).unwrap();
    let cases: [(&str, Option<&[u8]>, &str); 11] = [
        ("pushgate.db", Some(&flipped), "pushgate.db is damaged"),
        ("pushgate.db", Some(&database[..database.len() - 1]), "pushgate.db has"),
        ("pushgate.db", Some(b""), "pushgate.db has 0 bytes"),
        ("pushgate.db", None, "pushgate.db is missing"),
        ("signing-key", Some(&[b'0'; 65]), "signing-key is damaged"),
        ("ended-tokens", Some(b"nonsense\n"), "ended-tokens has"),
        ("pushgate.db-journal", Some(b"x"), "pushgate.db-journal is not of it"),
        ("manifest", None, "no manifest"),
        ("manifest", Some(b""), "did not come to its end"),
        ("manifest", Some(&whole.as_bytes()[..40]), "manifest is damaged"),
        ("manifest", Some(b"{\"version\":99}"), "version 99"),
    ];
    for (name, content, told) in cases {
        let path = copy.join(name);
        let before = std::fs::read(&path).ok();
        match content {
            Some(content) => std::fs::write(&path, content).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let data = copies.fresh();
        let ended = run("restore", &copy, &data).await;
        ended.says(&[copy.to_str().unwrap(), "not a whole copy", told]);
        assert!(names(&data).iter().all(|left| left == "lock"), "{told}: {:?}", names(&data));
        match before {
            Some(before) => std::fs::write(&path, before).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
    }
    run("restore", &copy, &copies.fresh()).await.is_good();
    // Where it is damaged already, there is no copy.
    std::fs::write(node.data_dir().join("signing-key"), "nonsense").unwrap();
    let other = copies.fresh();
    let told = run("backup", &other, &node.data_dir()).await;
    told.says(&[node.data_dir().join("signing-key").to_str().unwrap(), "does not hold a key"]);
    assert_eq!(names(&other), [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_killed_is_none() {
    let (node, _) = spoken().await;
    let (copies, mut moments) = (Copies::new(), 0);
    for moment in (1..).step_by(STRIDE) {
        let copy = copies.fresh();
        if !copies.kill_at(moment, "backup", &copy, &node.data_dir()).await {
            run("restore", &copy, &copies.fresh()).await.is_good();
            break;
        }
        moments += 1;
        let data = copies.fresh();
        let ended = run("restore", &copy, &data).await;
        // The last of them are behind the manifest: then it is whole.
        if ended.code == Some(0) {
            assert!(epoch(&data).is_some(), "{moment}");
        } else {
            assert!(names(&data).is_empty(), "{moment}");
            if names(&copy).iter().any(|name| name == "manifest") {
                start(&copy).await.says(&["is a copy"]);
            }
        }
    }
    assert!(moments > 5, "{moments}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_is_killed_is_refused_by_a_gateway_and_may_be_repeated() {
    let (node, _) = spoken().await;
    let (copies, mut marked) = (Copies::new(), 0);
    let copy = copies.of(&node).await;
    let old = epoch(&node.data_dir());
    for moment in (1..).step_by(STRIDE) {
        let data = copies.fresh();
        let is_killed = copies.kill_at(moment, "restore", &copy, &data).await;
        let found = names(&data);
        if found.iter().any(|name| name == "restoring") {
            marked += 1;
            start(&data).await.says(&[data.to_str().unwrap(), "did not come to its end"]);
            run("backup", &copies.fresh(), &data).await.says(&["did not come to its end"]);
        }
        let is_whole = !found.iter().any(|name| name == "restoring") && found.len() > 1;
        let again = run("restore", &copy, &data).await;
        if is_whole {
            again.says(&["is not empty"]);
        } else {
            again.is_good();
        }
        let (new, found) = (epoch(&data), names(&data));
        assert!(new.is_some() && new != old, "{moment}: {new:?}");
        assert!(!found.iter().any(|name| name == "restoring"), "{moment}: {found:?}");
        if !is_killed {
            break;
        }
    }
    assert!(marked > 5, "{marked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_and_a_restore_keep_each_other_out() {
    let (node, _) = spoken().await;
    let copies = Copies::new();
    let (copy, data) = (copies.of(&node).await, copies.fresh());
    let told = run("restore", &copy, &node.data_dir()).await;
    told.says(&["in use", &format!("process {}", node.process_id())]);
    // Somewhere on its way, and it stays there for now.
    let mut command = copies.command("restore", &copy, &data);
    command.env("HALT_AT", "20").env("HALT_WITH", libc::SIGSTOP.to_string());
    let restoring = command.stdout(Stdio::null()).spawn().unwrap();
    let id = restoring.id().unwrap();
    let is_stopped = async || {
        let status = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        status.rsplit(')').next().unwrap().trim_start().starts_with('T')
    };
    super::until("it to halt", is_stopped, |is| *is).await;
    assert!(names(&data).iter().any(|name| name == "restoring"));
    start(&data).await.says(&["in use", &format!("process {id}")]);
    run("restore", &copy, &data).await.says(&["in use", &format!("process {id}")]);
    let going = std::process::Command::new("kill").args(["-s", "CONT", &id.to_string()]).status();
    assert!(going.unwrap().success());
    let output = guarded("its end", restoring.wait_with_output()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(epoch(&data).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_written_can_be_copied_and_put_back() {
    let (mut node, _) = spoken().await;
    node.terminate().await;
    let copies = Copies::new();
    let (copy, data) = (copies.fresh(), copies.fresh());
    let mut backup = copies.command("backup", &copy, &node.data_dir());
    Ended::of(backup.env("READ_ONLY", node.data_dir())).await.is_good();
    let mut restore = copies.command("restore", &copy, &data);
    Ended::of(restore.env("READ_ONLY", &copy)).await.is_good();
    assert!(epoch(&data).is_some());
    // A copy needs no log; what a gateway uses has one. Source: SQLite, file format, section 1.3.3.
    let version = |path: PathBuf| std::fs::read(path.join("pushgate.db")).unwrap()[18];
    assert_eq!((version(copy), version(data)), (1, 2));
    // With a log that nobody can read there, it is told, and not passed over.
    std::fs::write(node.data_dir().join("pushgate.db-wal"), "something").unwrap();
    let mut backup = copies.command("backup", &copies.fresh(), &node.data_dir());
    let told = Ended::of(backup.env("READ_ONLY", node.data_dir())).await;
    told.says(&["pushgate.db", "its log can be read only where"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_another_database_is_left_out_by_those_who_say_so_alone() {
    let (node, _) = spoken().await;
    let copies = Copies::new();
    let (copy, data) = (copies.fresh(), node.data_dir());
    let elsewhere = async |verb: &str, data: &Path, more: &[&str]| {
        let mut command = copies.command(verb, &copy, data);
        command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:9/none").args(more);
        Ended::of(&mut command).await
    };
    let told = ["nothing was copied", "durable channels", "--without-database"];
    elsewhere("backup", &data, &[]).await.says(&told);
    assert_eq!(names(&copy), [] as [&str; 0]);
    elsewhere("backup", &data, &["--without-database"]).await.is_good();
    assert!(!names(&copy).iter().any(|name| name == "pushgate.db"));
    let target = copies.fresh();
    elsewhere("restore", &target, &[]).await.says(&told);
    run("restore", &copy, &target).await.says(&["without topics and durable channels"]);
    elsewhere("restore", &target, &["--without-database"]).await.is_good();
    let key = |path: &Path| std::fs::read(path.join("signing-key")).unwrap();
    assert_eq!(key(&target), key(&data));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_orders_of_a_postgresql_that_was_put_back_are_renewed() {
    let database = Database::start(Engine::Postgres).await;
    let Database::Postgres(postgres) = &database else { panic!("it is what was started") };
    let config = format!("{DURABLE}[channels.chat]\ndurable = true\n");
    let mut node = database.node(&config).await;
    let alice = node.login().await;
    let before = say(&node, &alice, 20).await;
    let mut chat = TestClient::connect(&node, Transport::Ws, "chat", "").await;
    chat.send(r#"{"message":"\"id\":\"x-1\"}"}"#).await;
    let told = chat.next().await;
    node.terminate().await;
    let renew = async |more: &[&str]| {
        let mut command = command();
        command.arg("renew").args(more).env("DATABASE_URL", postgres.url());
        Ended::of(&mut command).await
    };
    renew(&[]).await.is_good();
    node.start_again().await;
    super::reads(&node).await;
    let kept = all(&node, &alice, "since", "0").await;
    assert!(kept.iter().map(|message| offset_of(id_of(message))).eq(1..=20));
    assert_ne!(id_of(&kept[0]), id_of(&before[0]));
    let page = node.history(&alice, &format!("since={}", id_of(&before[19]))).await;
    assert_eq!(page["gap"]["next"], id_of(&kept[0]));
    let page = Request::get("/history/chat").send(&node).await.ok()["messages"][0].clone();
    assert_eq!(page["message"], told["message"]);
    assert_ne!(page["id"], told["id"]);
    let mut nowhere = command();
    nowhere.arg("renew").env("DATABASE_URL", "postgres://nobody:secret@127.0.0.1:9/none");
    let ended = Ended::of(&mut nowhere).await;
    ended.says(&["the database cannot be used"]);
    assert!(!ended.told.contains("secret"), "{}", ended.told);
    Ended::of(command().arg("renew")).await.says(&["DATABASE_URL"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_made_elsewhere_and_is_no_data_directory() {
    let (node, _) = spoken().await;
    let (copies, data) = (Copies::new(), node.data_dir());
    for inside in [data.clone(), data.join("copies/monday"), data.join("../data/./monday")] {
        run("backup", &inside, &data).await.says(&["is within", data.to_str().unwrap()]);
    }
    assert!(!data.join("copies").exists());
    let copy = copies.of(&node).await;
    start(&copy).await.says(&[copy.to_str().unwrap(), "is a copy"]);
    // It is one still.
    run("restore", &copy, &copies.fresh()).await.is_good();
    let nowhere = copies.fresh();
    let told = run("backup", &copies.fresh(), &nowhere).await;
    told.says(&["cannot read", nowhere.to_str().unwrap()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_damaged_is_not_copied_as_what_can_be_read_of_it() {
    let (mut node, login) = spoken().await;
    say(&node, &login, 100).await;
    node.signal("KILL").await;
    node.exit().await;
    let (copies, data) = (Copies::new(), node.data_dir());
    let log = data.join("pushgate.db-wal");
    let mut bytes = std::fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&log, &bytes).unwrap();
    run("backup", &copies.fresh(), &data).await.says(&["pushgate.db", "log is damaged"]);
    assert_eq!(std::fs::read(&log).unwrap(), bytes, "it is as it was");
    node.start_again().await;
    super::reads(&node).await;
    assert!(node.output().contains("log is damaged"), "{}", node.output());
    copies.of(&node).await;
}
