package parts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lock waits until no other process holds the lock of this name, and calls waiting
// once if it has to. The kernel frees the lock of a process that dies.
func (s workshop) lock(ctx context.Context, name string, waiting func()) (unlock func(), err error) {
	if err := os.MkdirAll(s.cache, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(s.cache, name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := flock(ctx, file, waiting); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("waiting for %s: %w", file.Name(), err)
	}
	return func() { _ = file.Close() }, nil
}

func flock(ctx context.Context, file *os.File, waiting func()) error {
	for first := true; ; first = false {
		// Without LOCK_NB the call could not be ended by ctx.
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if first {
			waiting()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
