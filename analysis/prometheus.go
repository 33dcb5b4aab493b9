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
// and must not fill the manager's memory. Prometheus adds a warning when it
// truncates, so that a truncated answer cannot be a Pass.
const maxSamples = 1000

// askOne asks one query about now. Now is Prometheus's: no time is sent, so
// that the clocks need not agree.
func askOne(ctx context.Context, api promv1.API, query string, timeout time.Duration) reading {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	value, warnings, _, err := api.Query(ctx, query, time.Time{}, promv1.WithTimeout(timeout), promv1.WithLimit(maxSamples))
	if err != nil {
		return reading{err: explain(err, timeout)}
	}
	samples, err := numbers(value)
	return reading{samples: samples, warnings: warnings, err: err}
}

// numbers takes a value apart. A histogram sample has the value 0 beside it,
// which would satisfy any "< 1".
func numbers(value model.Value) ([]float64, error) {
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
	return nil, fmt.Errorf("unexpected %T", value)
}

// explain says whose fault err is and reduces it to its cause. The rest differs
// from try to try (the local port), and a condition message must not.
func explain(err error, timeout time.Duration) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("nothing within %s", timeout)
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
