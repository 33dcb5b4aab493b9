// Package draw shows a status.Status to a person: as a picture on a terminal, as plain
// lines in a pipe. It writes text and knows no cluster.
package draw
