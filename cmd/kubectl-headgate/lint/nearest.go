package lint

import "strings"

// nearest returns the word of words that is most like key, "" if none is like it: at most two
// letters after the prefix differ, or a third of them.
func nearest(key string, words []string) string {
	best, least := "", 0
	for _, word := range words {
		_, short, _ := strings.Cut(word, "/")
		_, written, _ := strings.Cut(key, "/")
		if d := distance(strings.ToLower(written), short); d <= max(2, len(short)/3) && (best == "" || d < least) {
			best, least = word, d
		}
	}
	return best
}

// distance is how many letters must be added, removed or changed to make a into b
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
