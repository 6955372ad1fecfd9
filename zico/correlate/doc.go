// Package correlate measures how well zero-shot proxies rank the architectures of a benchmark: it scores a sample of them, compares the scores with measured accuracies, and reports correlations with their intervals beside the values that the ZiCo paper prints.
//
// The parts in the order of use:
//
//   - Run scores a random sample of the architectures of a table (package spaces/tables) with any number of proxies (package proxy). A sample of 1,000 begins with the sample of 100, so a run can be extended.
//   - A Store keeps every score in an append-only file, under everything that the score depends on. A run that was stopped, by an interrupt or by kill -9, goes on where it was; several processes may work on one file, also on the same scores, which they then share out.
//   - Scores is what a run leaves: architectures, accuracies, values. WriteCSV and ReadCSV keep and restore it; Bare leaves the accuracies out, so that it may be passed on, and Join puts them back.
//   - Report makes the tables of it, as text, Markdown, CSV and JSON, with a certificate: a line that says what the numbers rest on. Scores that are equal give reports that are equal byte by byte, however they came about.
//
// The statistics and their rules for ties, NaN and infinities are those of package rank. A proxy that is better when lower is compared with its sign turned.
package correlate

// Version is the version of the scores themselves. It is raised when a change to the program changes numbers by more than rounding; scores of other versions in a store are then left alone and computed anew.
const Version = 1
