package evidence

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// encodingVersion is the first byte. Another layout needs another version.
const encodingVersion = 1

var text = base64.RawStdEncoding

// MarshalText returns the whole state as base64, about 500 characters. UnmarshalText
// restores it bit for bit, so that a restart of the manager neither forgets evidence nor
// gives the canary a second chance.
func (e Evidence) MarshalText() ([]byte, error) {
	c := coder{buf: []byte{encodingVersion}}
	c.evidence(&e)
	return text.AppendEncode(nil, c.buf), nil
}

// UnmarshalText replaces the state. After an error, the state is what it was.
func (e *Evidence) UnmarshalText(encoded []byte) error {
	buf, err := text.AppendDecode(nil, encoded)
	if err != nil {
		return fmt.Errorf("evidence is not base64: %w", err)
	}
	if len(buf) == 0 || buf[0] != encodingVersion {
		return fmt.Errorf("evidence is not of version %d: another version of Headgate wrote it", encodingVersion)
	}
	var read Evidence
	c := coder{buf: buf[1:], reading: true}
	c.evidence(&read)
	if c.err == nil && len(c.buf) > 0 {
		c.err = fmt.Errorf("%d bytes are left over", len(c.buf))
	}
	if c.err == nil && !read.possible() {
		c.err = errors.New("no requests can have led to its numbers")
	}
	if c.err != nil {
		return fmt.Errorf("evidence cannot be read: %w", c.err)
	}
	*e = read
	return nil
}

// possible reports whether Add can have led to e, as far as numbers alone tell. Others
// make NaN of evidence, which is neither high nor low, and cannot be stored.
func (e *Evidence) possible() bool {
	const (
		mostRequests = 1 << 53             // exact in a float64
		mostParts    = 2 * maxParts * most // of a mixture that is frozen
		mostClumps   = 1e40                // of errors in so many requests, squared
	)
	for _, m := range []mixture{e.gross, e.equal, e.margin, e.absolute, e.stable, e.pass, e.clear} {
		if m.reserve > 1 || m.sum() > mostParts {
			return false
		}
	}
	for _, c := range []Counts{e.total.stable(), e.total.canary(), e.atWeight.stable(), e.atWeight.canary(), e.clumps.last} {
		if !c.valid() || c.Requests > mostRequests {
			return false
		}
	}
	return e.level.errors <= e.level.requests && e.level.requests <= mostRequests && e.clumps.sum <= mostClumps
}

// coder writes or reads. One function lists the fields for both, so that they agree.
type coder struct {
	buf     []byte
	reading bool
	err     error
	reserve float64 // of the mixture before: most mixtures share one
}

func (c *coder) evidence(e *Evidence) {
	c.flags(&e.failed, &e.passed, &e.cleared)
	c.look(&e.total)
	c.look(&e.atWeight)
	c.count(&e.warm)
	for _, m := range []*mixture{&e.gross, &e.equal, &e.margin, &e.absolute, &e.stable, &e.pass, &e.clear} {
		c.mixture(m)
	}
	c.float(&e.level.requests)
	c.float(&e.level.errors)
	c.clumps(&e.clumps)
}

func (c *coder) look(k *Look) {
	c.count(&k.StableRequests)
	c.count(&k.StableErrors)
	c.count(&k.CanaryRequests)
	c.count(&k.CanaryErrors)
}

// The first byte of a mixture: its size, and where its reserve is.
const (
	sizeBits      = 0x0f
	ownReserve    = 0x10
	sharedReserve = 0x20 // that of the mixture before
)

func (c *coder) mixture(m *mixture) {
	kind := byte(m.size)
	switch {
	case m.reserve == 0:
	case m.reserve == c.reserve:
		kind |= sharedReserve
	default:
		kind |= ownReserve
	}
	c.byte(&kind)
	if m.size = int(kind & sizeBits); m.size > maxParts {
		c.fail(errors.New("a mixture has too many parts"))
		return
	}
	if kind&ownReserve != 0 {
		c.float(&m.reserve)
		c.reserve = m.reserve
	}
	if kind&sharedReserve != 0 {
		m.reserve = c.reserve
	}
	for i := range m.size {
		c.float(&m.parts[i])
	}
}

func (c *coder) clumps(k *clumps) {
	c.float(&k.sum)
	c.count(&k.pairs)
	c.count(&k.looks)
	c.count(&k.last.Requests)
	c.count(&k.last.Errors)
	for i := range min(k.pairs, maxOutliers) {
		c.single(&k.outliers[i])
	}
}

func (c *coder) flags(flags ...*bool) {
	var bits byte
	for i, flag := range flags {
		if *flag {
			bits |= 1 << i
		}
	}
	c.byte(&bits)
	for i, flag := range flags {
		*flag = bits&(1<<i) != 0
	}
}

func (c *coder) byte(b *byte) {
	if !c.reading {
		c.buf = append(c.buf, *b)
	} else if next := c.take(1); next != nil {
		*b = next[0]
	}
}

// count holds a number that is never negative.
func (c *coder) count(n *int64) {
	if !c.reading {
		c.buf = binary.AppendUvarint(c.buf, uint64(*n))
		return
	}
	value, size := binary.Uvarint(c.buf)
	if size <= 0 || value > math.MaxInt64 {
		c.fail(errTruncated)
		return
	}
	c.buf, *n = c.buf[size:], int64(value)
}

func (c *coder) float(f *float64) {
	if !c.reading {
		c.buf = binary.LittleEndian.AppendUint64(c.buf, math.Float64bits(*f))
	} else if next := c.take(8); next != nil {
		*f = math.Float64frombits(binary.LittleEndian.Uint64(next))
		c.check(*f)
	}
}

func (c *coder) single(f *float32) {
	if !c.reading {
		c.buf = binary.LittleEndian.AppendUint32(c.buf, math.Float32bits(*f))
	} else if next := c.take(4); next != nil {
		*f = math.Float32frombits(binary.LittleEndian.Uint32(next))
		c.check(float64(*f))
	}
}

func (c *coder) check(f float64) {
	if !(f >= 0) || math.IsInf(f, 0) {
		c.fail(fmt.Errorf("%v is no evidence", f))
	}
}

var errTruncated = errors.New("it ends too early")

// take returns the next size bytes, or nil if there are fewer.
func (c *coder) take(size int) []byte {
	if c.err != nil || len(c.buf) < size {
		c.fail(errTruncated)
		return nil
	}
	next := c.buf[:size]
	c.buf = c.buf[size:]
	return next
}

func (c *coder) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.buf = nil
}
