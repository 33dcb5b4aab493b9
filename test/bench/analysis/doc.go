// Package analysis simulates how canaries are judged: by Headgate's sequential test and by
// the rules that other tools document. All rules see the same requests. A seed makes the
// same requests on every machine.
//
// docs/benchmark-analysis.md explains the tables; test/cmd/bench-analysis is the program.
package analysis
