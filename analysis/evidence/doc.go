// Package evidence judges a canary against stable by counting: requests, and the bad ones
// among them. It has no clock and no I/O. The same looks give the same verdict.
//
// # The idea
//
// Evidence is a number that starts at 1. Each look at the counters multiplies it: by more
// than 1 where the canary looks worse than it may be, by less than 1 where it does not.
// For a canary that is as it may be, the mean of every factor is at most 1. Such a number
// reaches 100 with a chance of at most 1 in 100, however often somebody looks (Ville's
// inequality). So a canary that reaches 100 is worse, with 1 false alarm in 100 rollouts:
//
//	evidence
//	100 | - - - - - - - - - - - - - - x  Fail     a canary that is worse
//	    |                         . '
//	 10 |                   . - '
//	    |        . . - ' '
//	  1 |.--'--.__
//	    |          ' - . _ . - . _                 a healthy canary
//	0.1 |                          ' - . _ . _
//	    +--------------------------------------------------> looks
//
// # The factor of one look
//
// What the canary may do is a line: its share of errors is at most ratio * stable's +
// points. An alternative is a pair of shares beyond the line, qs and qc. The pair (ps, pc)
// is the point of the line that is hardest to tell from it. With ns, xs requests and errors
// of stable and nc, xc of the canary:
//
//	ln factor = xc*ln(qc/pc) - nc*(qc-pc) + xs*ln(qs/ps) - ns*(qs-ps)
//
// Only the requests and errors of this one look are in it. So the level of errors may move
// from look to look as it likes, and the weight too: a burst of errors that hits both
// versions says nothing. Nobody knows how bad a bad canary is, so eight alternatives share
// the stake, from 1.25 to 100 times the line. Half of the stake is kept for faults that
// begin late.
//
//   - Fail: evidence against "no worse than stable" is at least 100, and evidence against
//     "within the margin" at least 20.
//   - Pass: evidence for "within the margin", by the same formula with the sides changed, is
//     at least 20. It starts again at each weight.
//   - Cleared: the same for a gross line, 5 * stable + 5 points, while the evidence against the
//     canary is below 1. About 70 requests without an error are enough.
//   - Undecided: nothing of that. No requests, no verdict.
//
// # What it survives
//
//   - Errors in clumps, as when a pod dies or a client retries, are not as many pieces of
//     evidence as they are errors. How many come together is estimated from stable, and every
//     factor is raised to the power 1/clump.
//   - One bad look cannot decide: no factor is more than 10.
//   - A version that has just started is judged by the gross line only for a minute.
//
// A canary pod on a bad node cannot be told from a bad version.
//
// # Sources
//
// Lindon, Malek: Anytime-valid inference for multinomial count data (arXiv 2011.03567).
// Lindon, Sanden, Shirikian: Rapid regression detection in software deployments through
// sequential testing (arXiv 2205.14762). Turner, Ly, Grünwald: Generic e-variables for exact
// sequential k-sample tests (arXiv 2106.02693). Turner, Grünwald: Exact anytime-valid
// confidence intervals for contingency tables and beyond (arXiv 2203.09785). Shin, Ramdas,
// Rinaldo: E-detectors (arXiv 2203.03532), for faults that begin late.
package evidence
