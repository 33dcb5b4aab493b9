package analysis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// maxSamples bounds the answer to one query: {__name__=~".+"} is a valid query
// and must not fill the memory of the manager. Prometheus adds a warning when it
// truncates an answer, and an answer with a warning is never a Pass.
const maxSamples = 1000

// askOne sends one query. It sends no time, so Prometheus takes its own present time
// and the two clocks may differ.
func askOne(ctx context.Context, api promv1.API, query string, timeout time.Duration) reading {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	value, warnings, _, err := api.Query(ctx, query, time.Time{}, promv1.WithTimeout(timeout), promv1.WithLimit(maxSamples))
	if err != nil {
		return reading{err: explain(err, timeout)}
	}
	samples, err := samplesOf(value)
	return reading{samples: samples, warnings: warnings, err: err}
}

// samplesOf returns the numbers in value. It refuses histogram samples: their Value
// is 0, which would satisfy any condition such as "< 1".
func samplesOf(value model.Value) ([]float64, error) {
	switch v := value.(type) {
	case *model.Scalar:
		return []float64{float64(v.Value)}, nil
	case model.Vector:
		samples := make([]float64, 0, len(v))
		for _, sample := range v {
			if sample.Histogram != nil {
				return nil, &queryFault{"yields histograms, want numbers: use histogram_quantile or histogram_fraction"}
			}
			samples = append(samples, float64(sample.Value))
		}
		return samples, nil
	}
	return nil, fmt.Errorf("unexpected answer of type %T", value)
}

// explain reduces err to its cause, and returns a queryFault if that is the query.
// It leaves out what differs from one attempt to the next, such as the local port:
// the message of a condition must not change while nothing happens.
func explain(err error, timeout time.Duration) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("timed out after %s", timeout)
	}
	if answer, ok := errors.AsType[*promv1.Error](err); ok {
		if answer.Type == promv1.ErrBadData || answer.Type == promv1.ErrExec {
			return &queryFault{"is refused by Prometheus: " + answer.Msg}
		}
		return errors.New(answer.Msg)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	if request, ok := errors.AsType[*url.Error](err); ok {
		return request.Err
	}
	return err
}
