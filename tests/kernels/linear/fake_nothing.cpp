// A library without any function that is asked for.
extern "C" int fake_nothing() { return 0; }
