//! pakyas-server from its command line to its exit code.

use std::ffi::OsString;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use super::access_log::AccessLog;
use super::accounts::{Accounts, passwords};
use super::admin::{self, password};
use super::alerts::Notifier;
use super::alerts::dispatch::Dispatcher;
use super::api::{App, Rates};
use super::args::{self, Draft, Exit, Init, Mode, Serve};
use super::bell::Bell;
use super::clock;
use super::complaint::complain;
use super::http::{Limits, Listener, Setup, Tls, TlsFiles};
use super::metrics::Metrics;
use super::operations;
use super::store::Store;
use super::store::accounts::{self, Created, FirstOrganization};
use super::systemd::Systemd;
use crate::VERSION;
use crate::sys::{self, SIGHUP, SIGINT, SIGTERM};

/// What the first organization is called when nobody says.
const DEFAULT_ORG: &str = "My Organization";
const DEFAULT_PROJECT: &str = "Production";
const DEFAULT_EMAIL: &str = "admin@localhost";

/// How long requests that were read may take to be answered once the server ends.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Runs the program with these arguments (without its name) and gives its exit code:
/// 0 done, 1 it could not do it, 2 usage.
pub fn run(arguments: impl Iterator<Item = OsString>) -> i32 {
    let result = match args::parse(arguments) {
        Ok(Mode::Version) => print(&format!("pakyas-server {VERSION}\n")),
        Ok(Mode::Serve(options)) => serve(&options),
        Ok(Mode::Init(options)) => init(options),
        Ok(Mode::Backup(options)) => operations::backup::run(&options),
        Ok(Mode::CheckConfig(options)) => check_config(&options),
        Ok(Mode::Healthcheck(options)) => operations::healthcheck::run(&options),
        Ok(Mode::Admin(options)) => admin::run(options).and_then(|text| print(&text)),
        Err(Exit::Help(text)) => print(&text),
        Err(Exit::Usage(text)) => {
            complain(format!("{text}\nRun pakyas-server --help for the options."));
            return 2;
        }
    };
    match result {
        Ok(()) => 0,
        Err(sentence) => {
            complain(sentence);
            1
        }
    }
}

/// Writes to stdout; a reader that has left is no reason to complain.
fn print(text: &str) -> Result<(), String> {
    let mut stdout = std::io::stdout();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("can't write to stdout: {error}"))
        }
        _ => Ok(()),
    }
}

fn init(options: Init) -> Result<(), String> {
    let password_hash = options
        .password_file
        .as_deref()
        .map(|path| passwords::hash(password::in_file(path)?.expose()))
        .transpose()?;
    let store = Store::open(&options.data_dir, "", Bell::default()).map_err(|e| e.to_string())?;
    let initialised = store
        .read(accounts::any_organization)
        .map_err(|e| e.to_string())?;
    if initialised {
        return Err(format!(
            "the data directory {} has an organization already; nothing was changed",
            options.data_dir.display()
        ));
    }
    let first = FirstOrganization {
        org: options.org,
        project: options.project,
        email: options.email,
        password_hash,
    };
    let created = create(&store, first)?;
    store.close();
    let Created {
        org_id,
        project_id,
        api_key,
    } = created;
    print(&if options.json {
        let json = serde_json::json!({
            "org_id": org_id,
            "project_id": project_id,
            "api_key": api_key,
        });
        format!("{json}\n")
    } else {
        format!(
            "Organization: {org_id}\nProject: {project_id}\nAPI key: {api_key}\n\
             The key is shown this once; keep it.\n"
        )
    })
}

fn create(store: &Store, first: FirstOrganization) -> Result<Created, String> {
    store
        .write(move |desk| accounts::create_first(desk, &first))
        .map_err(|e| e.to_string())
}

fn serve(options: &Serve) -> Result<(), String> {
    // Before the first thread, so that every thread leaves these signals to us.
    sys::block_signals(&[SIGTERM, SIGINT, SIGHUP])
        .map_err(|e| format!("can't block signals: {e}"))?;
    let descriptors = sys::raise_descriptor_limit().unwrap_or(1024);
    let tls = options.tls.clone().map(load).transpose()?;
    let listener = TcpListener::bind(options.listen).map_err(|error| {
        format!(
            "can't listen on {}: {error}; choose another address with --listen",
            options.listen
        )
    })?;
    let address = listener
        .local_addr()
        .map_err(|e| format!("can't listen on {}: {e}", options.listen))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let public_url = match &options.public_url {
        Some(url) => url.clone(),
        None if address.ip().is_unspecified() => {
            complain(
                "clients on other machines need to know where this server is; give --public-url",
            );
            format!("{scheme}://localhost:{}", address.port())
        }
        None => format!("{scheme}://{address}"),
    };

    let notifier = Arc::new(Notifier::new(options.smtp.as_ref())?);
    let alerted = Bell::default();
    let store = Store::open(&options.data_dir, &public_url, alerted.clone())
        .map(Arc::new)
        .map_err(|e| e.to_string())?;
    first_start(&store, &public_url)?;
    store.keep(options.retention);
    let dispatcher = Dispatcher::start(Arc::clone(&store), Arc::clone(&notifier), alerted)
        .map_err(|e| e.to_string())?;
    let setup = Setup {
        limits: Limits::within(descriptors),
        tls: tls.clone(),
        proxies: options.proxies.clone(),
        counts: Arc::default(),
    };
    let metrics = Metrics::new(Arc::clone(&setup.counts), clock::now());
    let access_log = options
        .access_log
        .as_deref()
        .map(|path| AccessLog::open(path, Arc::clone(&metrics.log_dropped)).map(Arc::new))
        .transpose()?;
    let accounts = Arc::new(Accounts::default());
    let app = App {
        store: Arc::clone(&store),
        notifier,
        accounts: Arc::clone(&accounts),
        public_url,
        rates: Rates::new(options.api_limit),
        metrics: Arc::new(metrics),
        access_log: access_log.clone(),
    };
    let listener = Listener::start(listener, setup, Arc::new(app))
        .map_err(|e| format!("can't start serving: {e}"))?;
    print(&format!(
        "pakyas-server {VERSION} is listening on {scheme}://{address}\n"
    ))?;
    let systemd = Arc::new(Systemd::from_environment());
    systemd.ready();
    Arc::clone(&systemd).watch(Arc::clone(&store));

    let wait = || sys::wait_for_signal(&[SIGTERM, SIGINT, SIGHUP]);
    while wait().map_err(|e| format!("can't wait for signals: {e}"))? == SIGHUP {
        systemd.reloading();
        reload(tls.as_deref(), access_log.as_deref());
        systemd.ready();
    }
    systemd.stopping();
    leave_at_the_second_signal();
    listener.stop(STOP_PATIENCE);
    if let Some(log) = access_log {
        log.finish();
    }
    drop(dispatcher);
    accounts.uses.finish(&store);
    store.close();
    Ok(())
}

fn load(files: TlsFiles) -> Result<Arc<Tls>, String> {
    let (tls, warning) = Tls::load(files)?;
    warn(warning);
    Ok(Arc::new(tls))
}

/// SIGHUP: reads the certificate again, and opens the log anew. What can't be had stays as it
/// was.
fn reload(tls: Option<&Tls>, access_log: Option<&AccessLog>) {
    if let Some(tls) = tls {
        match tls.reload() {
            Ok(warning) => warn(warning),
            Err(sentence) => {
                complain(format!(
                    "{sentence}; going on with the certificate from before"
                ));
            }
        }
    }
    if let Some(log) = access_log {
        log.reopen();
    }
}

fn warn(warning: Option<String>) {
    if let Some(sentence) = warning {
        complain(sentence);
    }
}

fn check_config(options: &Draft) -> Result<(), String> {
    let sentences =
        operations::check_config::run(options).map_err(|wrong| wrong.join("\npakyas-server: "))?;
    for sentence in sentences {
        warn(Some(sentence));
    }
    print("The configuration is good.\n")
}

/// Who asks twice will not wait; what was acknowledged is on disk either way.
fn leave_at_the_second_signal() {
    let _ = std::thread::Builder::new().spawn(|| {
        if sys::wait_for_signal(&[SIGTERM, SIGINT]).is_ok() {
            std::process::exit(1);
        }
    });
}

/// In an empty store: creates an organization, and says how to log in to it.
fn first_start(store: &Store, public_url: &str) -> Result<(), String> {
    if store
        .read(accounts::any_organization)
        .map_err(|e| e.to_string())?
    {
        return Ok(());
    }
    let created = create(
        store,
        FirstOrganization {
            org: DEFAULT_ORG.to_owned(),
            project: DEFAULT_PROJECT.to_owned(),
            email: DEFAULT_EMAIL.to_owned(),
            password_hash: None,
        },
    )?;
    print(&format!(
        "This is a first start. Log a client in with (the key is shown this once):\n\
         \x20 pakyas login --api-url {public_url} --api-key {}\n\
         \x20 pakyas org switch \"{DEFAULT_ORG}\"\n\
         \x20 pakyas project switch \"{DEFAULT_PROJECT}\"\n",
        created.api_key
    ))
}
