//! The command line: build, serve, drain.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use pushgate::command::ClientCommand;
use pushgate::config::{self, Config, Flags};
use pushgate::server::{
    Server, banner, be_frugal, give_back_if_asked, report_panics, start_logging,
};
use pushgate::store::{self, Extent, Postgres, StoreError};
use tokio::signal::unix::{SignalKind, signal};

/// Keeps sizes apart: what a handshake needs for a moment leaves no holes between connections that
/// stay. `make bench BENCH=memory-ws` shows what that is worth.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A push gateway: log in, post, and everyone present receives.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the gateway; what happens when no command is given.
    Serve(ServeArgs),
    /// Check the configuration and say everything that is wrong with it.
    CheckConfig(ServeArgs),
    /// Copy the data directory, also of a gateway that runs, into another that is empty.
    ///
    /// What `DATABASE_URL` or `database.url` names is not in it: see --without-database.
    Backup(CopyArgs),
    /// Copy what `backup` made into a data directory that is empty.
    ///
    /// Ids of durable channels begin anew: who was connected is told a gap, and loses nothing that the
    /// copy has.
    Restore(CopyArgs),
    /// Have the ids of durable channels in PostgreSQL begin anew, after it was put back from a copy.
    ///
    /// Before a gateway uses it: who was connected is told a gap, and nobody takes a new message for one
    /// that was seen. With a file of SQLite, `restore` does this itself.
    Renew(DataArgs),
    #[command(flatten)]
    Client(ClientCommand),
}

#[derive(Args, Debug)]
struct CopyArgs {
    /// The copy: a directory.
    #[arg(value_name = "DIRECTORY")]
    copy: PathBuf,
    /// Leave topics and durable channels out: where they are in PostgreSQL, which has tools of its own for
    /// copies (`pg_dump`, `pg_restore`), nothing is copied without this.
    #[arg(long)]
    without_database: bool,
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Args, Debug)]
struct DataArgs {
    /// The configuration file [default: config.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the signing key and the like are kept [default: data].
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct ServeArgs {
    /// The configuration file [default: config.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address to listen on [default: 0.0.0.0].
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<String>,
    /// The port to listen on, 0 for any that is free [default: 8080].
    #[arg(long)]
    port: Option<u16>,
    /// Where the signing key and the like are kept, made if missing [default: data].
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
}

impl ServeArgs {
    fn load(self) -> Result<Config, ExitCode> {
        let Self { config, bind, port, data_dir } = self;
        let flags = Flags { config, bind, port, data_dir };
        // A variable that is not UTF-8 is none of ours.
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        config::load(&flags, std::env::vars_os().filter_map(text)).map_err(|error| {
            eprintln!("{error}");
            ExitCode::from(2)
        })
    }
}

fn main() -> ExitCode {
    be_frugal();
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => args.load().map_or_else(|code| code, serve),
        Command::CheckConfig(args) => args.load().map_or_else(|code| code, |config| check(&config)),
        Command::Backup(args) => copy(args, store::backup),
        Command::Restore(args) => {
            copy(args, |data, copy, extent| store::restore(copy, data, extent))
        }
        Command::Renew(args) => renew(args),
        Command::Client(command) => match command.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("pushgate: {error}");
                ExitCode::from(error.exit_code())
            }
        },
    }
}

/// Copies between the data directory and the other one.
fn copy(args: CopyArgs, act: fn(&Path, &Path, Extent) -> Result<(), StoreError>) -> ExitCode {
    let CopyArgs { copy, without_database, data: DataArgs { config, data_dir } } = args;
    let config = match (ServeArgs { config, bind: None, port: None, data_dir }).load() {
        Ok(config) => config,
        Err(code) => return code,
    };
    if config.database.url.is_some() && !without_database {
        eprintln!(
            "pushgate: nothing was copied: topics and durable channels are in the database of \
             DATABASE_URL or database.url, which pg_dump and pg_restore copy; with \
             --without-database all else is"
        );
        return ExitCode::FAILURE;
    }
    let extent = if without_database { Extent::WithoutDatabase } else { Extent::Whole };
    match act(&config.data_dir, &copy, extent) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pushgate: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Has the ids of durable channels in PostgreSQL begin anew.
fn renew(args: DataArgs) -> ExitCode {
    let DataArgs { config, data_dir } = args;
    let config = match (ServeArgs { config, bind: None, port: None, data_dir }).load() {
        Ok(config) => config,
        Err(code) => return code,
    };
    let Some(url) = &config.database.url else {
        eprintln!(
            "pushgate: neither DATABASE_URL nor database.url is set: restore renews the rest"
        );
        return ExitCode::FAILURE;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let renewed = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        let renewing = Postgres::renew(url.expose(), config.database.ca.as_deref());
        runtime.block_on(renewing).map_err(|error| error.to_string())
    });
    match renewed {
        Ok(channels) => {
            println!("the ids of {channels} durable channels begin anew");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("pushgate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn check(config: &Config) -> ExitCode {
    for warning in config.warnings() {
        eprintln!("warning: {warning}");
    }
    println!("the configuration is good");
    ExitCode::SUCCESS
}

fn serve(config: Config) -> ExitCode {
    start_logging(&config.log);
    report_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_park(give_back_if_asked)
        .build();
    let served = match runtime {
        Ok(runtime) => {
            let served = runtime.block_on(serve_until_told(config));
            if served.is_err() {
                // Dropped, it would wait for the drain that is not to be waited for.
                runtime.shutdown_background();
            }
            served
        }
        Err(error) => Err(error.to_string()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pushgate: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until SIGTERM or SIGINT, then drains; a second signal ends at once.
async fn serve_until_told(config: Config) -> Result<(), String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let tls = config.tls.is_some();
    let server = Server::start(config).await.map_err(|error| error.to_string())?;
    print!("{}", banner(server.address(), tls, server.admin_address()));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("draining; a second signal ends at once");
    tokio::select! {
        () = server.drain() => {}
        _ = terminate.recv() => return Err("ended before all connections were".to_owned()),
        _ = interrupt.recv() => return Err("ended before all connections were".to_owned()),
    }
    Ok(())
}
