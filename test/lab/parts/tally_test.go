package parts

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestTallySaysHowFarItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		usual := compileSpeed * int64(runtime.GOMAXPROCS(0)) // bytes in a second
		count := &tally{began: time.Now(), sizes: map[string]int64{}, expected: 2, total: 800 * usual}
		count.sizes["example.com/large"], count.sizes["example.com/small"] = 400*usual, 200*usual
		line := count.line("traefik")

		steps := []struct {
			after time.Duration
			saw   string
			want  string
		}{
			// As fast as usual: 800 s.
			{0, "", "traefik: 0%, 0 of 2 packages, about 13 min left"},
			// 400 s of work in 180 s, with a trial of 20 s: 2.1 times as fast, so 400 s take 190 s.
			{180 * time.Second, "example.com/large", "traefik: 50%, 1 of 2 packages, about 3 min left"},
			{0, "go: downloading example.com/small v1.0.0", "traefik: 50%, 1 of 2 packages, about 3 min left"},
			{0, "# example.com/broken", "traefik: 50%, 1 of 2 packages, about 3 min left"},
			{60 * time.Second, "example.com/small", "traefik: 75%, 2 of 2 packages, about 1 min left"},
			// A second module compiles it again: nobody knew.
			{0, "example.com/small", "traefik: 75%, 3 of 3 packages, about 1 min left"},
		}
		for _, step := range steps {
			time.Sleep(step.after)
			count.saw(step.saw)
			if got := line(0); got != step.want {
				t.Errorf("after %q: %q, want %q", step.saw, got, step.want)
			}
		}
		for count.done < count.total {
			count.linked()
		}
		if got, want := line(0), "traefik: 100%, 3 of 3 packages, less than 1 min left"; got != want {
			t.Errorf("at the end: %q, want %q", got, want)
		}
	})
}

func TestTallyWithoutExpectationSaysWhatItSaw(t *testing.T) {
	count := &tally{began: time.Now()}
	count.saw("example.com/one")
	if got, want := count.line("headgate")(0), "headgate: 1 packages in 0s"; got != want {
		t.Errorf("line = %q, want %q", got, want)
	}
}

func TestTallyExpectsWhatIsNotInTheBuildCache(t *testing.T) {
	s, _ := newTestWorkshop(t)
	count := &tally{}
	t.Setenv("GOCACHE", t.TempDir())
	if err := count.expect(t.Context(), s.root+"/hello", hermetic(), []string{"."}); err != nil {
		t.Fatal(err)
	}
	if size, ok := count.sizes["hello"]; !ok || size == 0 || count.total < linkSize+count.sizes["runtime"] || count.sizes["runtime"] == 0 {
		t.Errorf("expects %d bytes of hello and %d of the runtime, %d in all", size, count.sizes["runtime"], count.total)
	}
}
