'use strict';

// What every driver begins with.
//
// A driver is a program that uses a client as a site or a server would:
//
//     node NAME.js MODE PORT ...
//
// It prints a line of JSON for everything the test may want to know (say),
// { event: ... } for each event as the client itself has it, and stops at
// some places until the test says to go on (at).  It ends by itself; what is
// not over after LIMIT is an error.

const readline = require('node:readline');

const LIMIT_MS = 60000;

const answers = [];
const waiting = [];

const input = readline.createInterface({ input: process.stdin });


function say(what) {
    process.stdout.write(JSON.stringify(what) + '\n');
}


// an event as the client believes to have sent it
function event(what) {
    say({ event: what });
}


input.on('line', (line) => {
    const resolve = waiting.shift();

    if (resolve) {
        resolve(line);

    } else {
        answers.push(line);
    }
});


// Tells the test where the driver is, and waits for its word.
function at(place) {
    say({ at: place });

    return answers.length ? Promise.resolve(answers.shift())
                          : new Promise((resolve) => waiting.push(resolve));
}


// Waits until a condition holds, which is looked at every so many ms.
async function until(condition, what, { limit = 30000, every = 5 } = {}) {
    const end = Date.now() + limit;

    while (!(await condition())) {
        if (Date.now() > end) {
            throw new Error(`waited ${limit} ms in vain: ${what}`);
        }

        await new Promise((resolve) => setTimeout(resolve, every));
    }
}


// Runs the session of a mode: { MODE: async (port, ...) => {} }.
function main(modes) {
    const [mode, ...ports] = process.argv.slice(2);

    setTimeout(() => {
        console.error(`the driver did not end within ${LIMIT_MS} ms`);
        process.exit(3);
    }, LIMIT_MS).unref();

    if (!modes[mode]) {
        console.error(`no mode "${mode}", there are: ${Object.keys(modes)}`);
        process.exit(2);
    }

    // an unhandled rejection inside a client is an error, too
    modes[mode](...ports)
        .then(() => process.exit(0), (error) => {
            console.error(error);
            process.exit(1);
        });
}


module.exports = { at, event, main, say, until };
