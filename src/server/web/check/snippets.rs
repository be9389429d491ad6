//! How to let a job report, for the places where jobs run: lines to copy, in the ways of the
//! guide and of the files in dist/.

use super::crontab::{Lines, Times};
use crate::server::engine::Millis;
use crate::wire::Check;

/// One way.
pub(super) struct Snippet {
    /// What it is called in the page.
    pub id: &'static str,
    pub title: &'static str,
    pub hint: String,
    pub text: String,
}

/// `project`: the slug of the check's project; `server`: where clients reach this server;
/// `org_zone` counts where the check has no zone of its own. A slug has nothing in it that a
/// shell or YAML would take for its own.
pub(super) fn all(
    check: &Check,
    project: &str,
    server: &str,
    org_zone: &str,
    now: Millis,
) -> Vec<Snippet> {
    let (slug, url) = (&check.slug, &check.ping_url);
    let lines = Lines::of(check, org_zone, now);
    vec![
        Snippet {
            id: "crontab",
            title: "crontab",
            hint: lines.crontab.with(format!("On a machine where pakyas is logged in and uses this project (pakyas project switch {project}). Put your command behind the two dashes.")),
            text: crontab(slug, &lines),
        },
        Snippet {
            id: "curl",
            title: "curl",
            hint: "Without pakyas: tells start, end and exit code of a run by its id, but keeps nothing where the network is away.".to_owned(),
            text: format!(
                "rid=$(date +%s)-$$\n\
                 curl -fsS -m 10 --retry 5 -o /dev/null \"{url}/start?rid=$rid\"\n\
                 /path/to/job.sh\n\
                 curl -fsS -m 10 --retry 5 -o /dev/null \"{url}/$??rid=$rid\"\n"
            ),
        },
        Snippet {
            id: "systemd",
            title: "systemd",
            hint: "A drop-in for the job's unit: /etc/systemd/system/YOUR.service.d/pakyas.conf, then systemctl daemon-reload. Settings as in dist/examples/client.env.".to_owned(),
            text: format!(
                "[Service]\n\
                 ExecStart=\n\
                 ExecStart=/usr/local/bin/pakyas monitor {slug} -- /path/to/job.sh\n\
                 EnvironmentFile=-/etc/pakyas/client.env\n"
            ),
        },
        Snippet {
            id: "kubernetes",
            title: "Kubernetes",
            hint: lines.kubernetes.with("An image that has pakyas in it. The secret: kubectl create secret generic pakyas-secrets --from-literal=api-key=…".to_owned()),
            text: kubernetes(slug, &lines, project, server),
        },
        Snippet {
            id: "github",
            title: "GitHub Actions",
            hint: lines.github.with("With the API key as a secret of the repository.".to_owned()),
            text: github(slug, &lines.github, project, server),
        },
    ]
}

fn crontab(slug: &str, lines: &Lines) -> String {
    let zone = lines.zone.as_ref().map_or(String::new(), |zone| {
        format!(
            "# By the clock of {zone}. On a machine with another one, cronie takes a line\n\
             # CRON_TZ={zone} before this; Debian's cron does not: change the hours there.\n"
        )
    });
    let times = &lines.crontab.fields;
    format!("{zone}{times} pakyas monitor {slug} -- /path/to/job.sh\n")
}

fn kubernetes(slug: &str, lines: &Lines, project: &str, server: &str) -> String {
    // A CronJob's name has 52 characters at most.
    let name = slug.get(..52).unwrap_or(slug).trim_matches('-');
    let times = &lines.kubernetes.fields;
    let zone = lines
        .zone
        .as_ref()
        .map_or(String::new(), |zone| format!("\n  timeZone: {zone}"));
    format!(
        r#"apiVersion: batch/v1
kind: CronJob
metadata:
  name: {name}
spec:
  schedule: "{times}"{zone}
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: OnFailure
          containers:
            - name: job
              image: your-image:latest
              command: [pakyas, monitor, "{slug}", --, /path/to/job.sh]
              env:
                - name: PAKYAS_API_KEY
                  valueFrom:
                    secretKeyRef:
                      name: pakyas-secrets
                      key: api-key
                - name: PAKYAS_PROJECT
                  value: "{project}"
                - name: PAKYAS_API_URL
                  value: "{server}"
"#
    )
}

fn github(slug: &str, times: &Times, project: &str, server: &str) -> String {
    let times = &times.fields;
    format!(
        r"on:
  schedule:
    - cron: '{times}'

jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4

      - name: Install Pakyas CLI
        run: |
          curl -sL https://github.com/pakyas/pakyas/releases/latest/download/pakyas-linux-x86_64.tar.gz | tar xz
          sudo mv pakyas /usr/local/bin/

      - name: Run with monitoring
        env:
          PAKYAS_API_KEY: ${{{{ secrets.PAKYAS_API_KEY }}}}
          PAKYAS_PROJECT: '{project}'
          PAKYAS_API_URL: '{server}'
        run: pakyas monitor {slug} -- ./job.sh
"
    )
}
