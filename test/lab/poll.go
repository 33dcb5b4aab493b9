package lab

import (
	"context"
	"fmt"
	"time"
)

// Poll calls done every 50 ms until it returns nil. It is for things without a watch.
// When ctx is done, the error quotes the last error of done.
func Poll(ctx context.Context, done func() error) error {
	for {
		err := done()
		if err == nil {
			return nil
		}
		if e := pause(ctx); e != nil {
			return fmt.Errorf("%w: %w", e, err)
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(50 * time.Millisecond):
		return nil
	}
}
