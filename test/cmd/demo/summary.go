package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// summary is what the demo measured. Its JSON is the last line of the output.
type summary struct {
	Promoted   bool `json:"promoted"`
	RolledBack bool `json:"rolledBack"`

	Requests        int `json:"requests"`
	FailedByRollout int `json:"failedByRollout"` // answers that no version gave on purpose
	BadServed       int `json:"badServed"`       // 500s of the bad version that users got

	SecondsToFirstWeight float64 `json:"secondsToFirstWeight"` // from apply to the good version's first traffic
	SecondsToZero        float64 `json:"secondsToZero"`        // from the verdict to the bad version's last answer

	APIWrites int `json:"apiWrites"` // Headgate's, both rollouts, without the leader's lease
}

// print writes s, and returns an error that names each value that is wrong.
func (s summary) print(w io.Writer) error {
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s\n", line)
	return errors.Join(
		expect(s.Promoted, "the good version was not promoted"),
		expect(s.RolledBack, "the bad version was not rolled back"),
		expect(s.FailedByRollout == 0, "%d answers failed because of the rollout", s.FailedByRollout),
		expect(s.BadServed > 0, "the bad version gave no bad answer, so the demo shows nothing"),
		expect(s.SecondsToFirstWeight > 0, "the good version never got traffic"),
		expect(s.SecondsToZero < 5, "the bad version still answered %.1fs after the verdict", s.SecondsToZero),
	)
}

func expect(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}
