import time as t
from house import House
def test_a(sqlite_house: House):
    for n in range(3):
        a=t.perf_counter(); s=sqlite_house.infused(days_ago=6, number=f"0{n}"); b=t.perf_counter()
        p=sqlite_house.patient_of(s); c=t.perf_counter()
        for i in range(5): r=sqlite_house.report(p,{"temp_c":36.5+i/10}); assert r.status_code==201, r.text
        d=t.perf_counter()
        sqlite_house.work(); e=t.perf_counter()
        print(f"infused {b-a:.3f} patient {c-b:.3f} report {(d-c)/5:.3f} work {e-d:.3f}", r.json["signals"], r.json["asks"])
def test_b(sqlite_house: House): pass
def test_c(sqlite_house: House): pass
