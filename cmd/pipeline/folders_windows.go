package pipeline

func ownCache(dir string) string { return dir }

func ownConfig(dir string) string { return dir }
