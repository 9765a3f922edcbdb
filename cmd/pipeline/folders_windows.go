package pipeline

func ownCache(dir string) string { return dir }
