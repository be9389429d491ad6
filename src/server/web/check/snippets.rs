//! How to let a job report, for the places where jobs run: lines to copy, in the ways of the
//! guide and of the files in dist/.

use crate::schedule::cron_times;
use crate::wire::Check;

/// One way.
pub(super) struct Snippet {
    /// What it is called in the page.
    pub id: &'static str,
    pub title: &'static str,
    pub hint: String,
    pub text: String,
}

/// `project`: the slug of the check's project; `server`: where clients reach this server. A
/// slug has nothing in it that a shell or YAML would take for its own.
pub(super) fn all(check: &Check, project: &str, server: &str) -> Vec<Snippet> {
    let (slug, url) = (&check.slug, &check.ping_url);
    let cron = check.cron_expression.as_deref();
    let times = cron
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        .or_else(|| check.period_seconds.and_then(cron_times))
        .unwrap_or_else(|| "0 2 * * *".to_owned());
    vec![
        Snippet {
            id: "crontab",
            title: "crontab",
            hint: format!("On a machine where pakyas is logged in and uses this project (pakyas project switch {project}). Put your command behind the two dashes."),
            text: format!("{times} pakyas monitor {slug} -- /path/to/job.sh\n"),
        },
        Snippet {
            id: "curl",
            title: "curl",
            hint: "Without pakyas: tells start, end and exit code, but keeps nothing where the network is away.".to_owned(),
            text: format!(
                "curl -fsS -m 10 --retry 5 -o /dev/null {url}/start\n\
                 /path/to/job.sh\n\
                 curl -fsS -m 10 --retry 5 -o /dev/null {url}/$?\n"
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
            hint: "An image that has pakyas in it. The secret: kubectl create secret generic pakyas-secrets --from-literal=api-key=…".to_owned(),
            text: kubernetes(slug, &times, project, server),
        },
        Snippet {
            id: "github",
            title: "GitHub Actions",
            hint: "With the API key as a secret of the repository. GitHub's schedule is in UTC.".to_owned(),
            text: github(slug, &times, project, server),
        },
    ]
}

fn kubernetes(slug: &str, times: &str, project: &str, server: &str) -> String {
    // A CronJob's name has 52 characters at most.
    let name = slug.get(..52).unwrap_or(slug).trim_matches('-');
    format!(
        r#"apiVersion: batch/v1
kind: CronJob
metadata:
  name: {name}
spec:
  schedule: "{times}"
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

fn github(slug: &str, times: &str, project: &str, server: &str) -> String {
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
