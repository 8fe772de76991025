"""The words of the report rules in both languages: sites, items, answers, codes, drugs, what is compatible. Data only.

A key without an entry is shown as it is: a missing word must never hide a signal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Text:
    """One text in both languages."""

    zh: str
    en: str


def word(words: Mapping[str, Text], key: str) -> Text:
    return words.get(key, Text(key, key))


def drug(key: str) -> Text:
    return word(DRUGS, key)


def answer(item: str, value: Any) -> Text:
    """An answer as read aloud: '2 (moderate)', 'yes', 'chest pain now'; numbers as they are."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return word(CHOICES, str(value))
    if item in SCALES and value in STEPS:
        step = STEPS[int(value)]
        return Text(f"{value}（{step.zh}）", f"{value} ({step.en})")
    shown = f"{value:f}"
    return Text(shown, shown)


SITES = {
    "armpit": Text("腋温", "armpit"),
    "mouth": Text("口温", "mouth"),
    "ear": Text("耳温", "ear"),
    "forehead": Text("额温", "forehead"),
    "core": Text("核心体温", "core"),
    "unknown": Text("体温（部位未知）", "temperature (site unknown)"),
}

BANDS = {
    "04-10": Text("早晨", "morning"),
    "10-16": Text("日间", "midday"),
    "16-22": Text("傍晚", "evening"),
    "22-04": Text("夜间", "night"),
    "day": Text("全天", "the whole day"),
}

REPORTERS = {
    "patient": Text("患者", "the patient"),
    "carer": Text("照护者", "the carer"),
    "staff": Text("医护人员", "staff"),
}

STEPS = {0: Text("无", "none"), 1: Text("轻", "mild"), 2: Text("中", "moderate"), 3: Text("重", "severe")}

CHILLS = {
    1: Text("轻度畏寒。", "Mild chills."),
    2: Text("中度畏寒。", "Moderate chills."),
    3: Text("寒战。", "Shaking chills."),
}

SCALES = frozenset(
    {
        *("chills", "dizzy", "breath", "palps", "headache", "confused", "words", "tremor", "rash", "joints"),
        *("bleeding", "oedema", "cough", "fatigue", "malaise", "myalgia"),
    }
)

ITEMS = {
    "temp_c": Text("体温（°C）", "temperature (°C)"),
    "chills": Text("畏寒/寒战", "chills"),
    "dizzy": Text("站起头晕", "light-headed on standing"),
    "faint": Text("晕倒", "fainting"),
    "breath": Text("气短", "short of breath"),
    "palps": Text("心慌", "racing heart"),
    "chest_pain": Text("胸痛", "chest pain"),
    "headache": Text("头痛", "headache"),
    "confused": Text("意识模糊/嗜睡", "muddled or unusually sleepy"),
    "words": Text("找词困难", "trouble finding words"),
    "writing": Text("书写改变", "handwriting changed"),
    "tremor": Text("手抖", "shaking hands"),
    "seizure_weak": Text("抽搐或偏侧无力", "fit or one-sided weakness"),
    "rash": Text("皮疹/口腔溃疡", "rash or mouth sores"),
    "joints": Text("关节肿痛", "joint pain or swelling"),
    "bleeding": Text("出血", "bleeding"),
    "bleeding_site": Text("出血部位", "bleeding from"),
    "urine": Text("小便", "urine"),
    "oedema": Text("水肿", "swelling"),
    "weight_kg": Text("体重（kg）", "weight (kg)"),
    "cough": Text("咳嗽", "cough"),
    "vomit_24h": Text("24 小时呕吐次数", "vomiting episodes in 24 h"),
    "diarrhoea_24h": Text("24 小时腹泻次数", "diarrhoea episodes in 24 h"),
    "fluids_kept": Text("能否留住饮水", "keeps fluids down"),
    "intake": Text("饮水服药是否足够", "drank and took medicines"),
    "fatigue": Text("乏力", "fatigue"),
    "malaise": Text("全身不适", "feeling ill"),
    "myalgia": Text("肌痛", "muscle ache"),
    "worry": Text("患者或家属担心", "worry of patient or carer"),
    "note": Text("留言", "their words"),
    "now_any": Text("现在有", "present now"),
    "neuro_score": Text("神经检查得分（0–10）", "neuro check score (0–10)"),
    "neuro_finished": Text("神经检查", "neuro check"),
    "neuro_seconds": Text("神经检查用时（秒）", "neuro check time (s)"),
    "neuro_year": Text("年份", "year"),
    "neuro_month": Text("月份", "month"),
    "neuro_city": Text("城市", "city"),
    "neuro_hospital": Text("医院", "hospital"),
    "neuro_naming": Text("命名", "naming"),
    "neuro_command": Text("执行指令", "command"),
    "neuro_writing": Text("书写", "writing"),
    "neuro_counting": Text("倒数", "counting"),
    "sbp": Text("收缩压（mmHg）", "systolic pressure (mmHg)"),
    "sbp_repeat": Text("收缩压复测（mmHg）", "systolic pressure, repeat (mmHg)"),
    "dbp": Text("舒张压（mmHg）", "diastolic pressure (mmHg)"),
    "hr": Text("心率（次/分）", "heart rate (/min)"),
    "spo2": Text("血氧饱和度（%）", "SpO2 (%)"),
    "spo2_repeat": Text("血氧饱和度复测（%）", "SpO2, repeat (%)"),
    "spo2_warm_finger": Text("暖手后测量", "measured on a warmed finger"),
}

CHOICES = {
    "yes": Text("是", "yes"),
    "no": Text("否", "no"),
    "near": Text("几乎晕倒", "nearly"),
    "unsure": Text("不确定", "unsure"),
    "now": Text("请现在联系我", "call me now"),
    "tomorrow": Text("明天联系即可", "tomorrow is fine"),
    "could_not_finish": Text("未能完成", "could not finish"),
    "chest_pain": Text("胸痛", "chest pain"),
    "bleeding": Text("出血", "bleeding"),
    "worst_headache": Text("从未有过的剧烈头痛", "worst headache"),
    "stiff_neck": Text("颈部僵硬", "stiff neck"),
    "swelling_face_throat": Text("面部或咽喉肿胀", "swelling of face or throat"),
    "hives_wheeze": Text("荨麻疹或喘鸣", "hives or wheeze"),
    "blisters_painful_skin": Text("水疱或皮肤疼痛", "blisters or painful skin"),
    "seizure_weak": Text("抽搐或偏侧无力", "fit or one-sided weakness"),
    "cannot_wake": Text("叫不醒", "cannot be woken"),
    "less": Text("明显减少", "much less than usual"),
    "none_8h": Text("8 小时无尿", "none in 8 h"),
    "foamy": Text("泡沫尿", "foamy"),
    "red": Text("血尿", "red"),
    "nose": Text("鼻", "nose"),
    "gums": Text("牙龈", "gums"),
    "skin": Text("皮肤", "skin"),
    "stool": Text("大便", "stool"),
    "vomit": Text("呕吐物", "vomit"),
    "period": Text("月经", "period"),
}

CODES = {
    "anc": Text("ANC", "ANC"),
    "platelets": Text("血小板", "platelets"),
    "crp": Text("CRP", "CRP"),
    "ferritin": Text("铁蛋白", "ferritin"),
    "igg": Text("IgG", "IgG"),
    "b_cells": Text("B 细胞", "B cells"),
    "creatinine": Text("肌酐", "creatinine"),
}

DRUGS = {
    "paracetamol": Text("对乙酰氨基酚", "paracetamol"),
    "ibuprofen": Text("布洛芬", "ibuprofen"),
    "aspirin": Text("阿司匹林", "aspirin"),
    "diclofenac": Text("双氯芬酸", "diclofenac"),
    "celecoxib": Text("塞来昔布", "celecoxib"),
    "loxoprofen": Text("洛索洛芬", "loxoprofen"),
    "metamizole": Text("安乃近", "metamizole"),
    "antipyretic": Text("退烧药或止痛药", "fever or pain medicine"),
    "other_antipyretic": Text("其他退烧药或止痛药", "other fever or pain medicine"),
    "lorazepam": Text("劳拉西泮", "lorazepam"),
    "other_sedative": Text("其他镇静或安眠药", "other sedative"),
    "aciclovir": Text("阿昔洛韦", "aciclovir"),
    "co_trimoxazole": Text("复方磺胺甲噁唑", "co-trimoxazole"),
    "fluconazole": Text("氟康唑", "fluconazole"),
    "prednisone": Text("泼尼松", "prednisone"),
    "prednisolone": Text("泼尼松龙", "prednisolone"),
    "methylprednisolone": Text("甲泼尼龙", "methylprednisolone"),
    "dexamethasone": Text("地塞米松", "dexamethasone"),
    "hydrocortisone": Text("氢化可的松", "hydrocortisone"),
    "steroid": Text("激素（患者自报，折合泼尼松龙）", "steroid as reported (prednisolone-equivalent)"),
    "steroid_taken": Text("激素（患者自报，折合泼尼松龙）", "steroid as reported (prednisolone-equivalent)"),
    "tocilizumab": Text("托珠单抗", "tocilizumab"),
    "siltuximab": Text("司妥昔单抗", "siltuximab"),
    "anakinra": Text("阿那白滞素", "anakinra"),
}

ORGANS = {
    "skin": Text("皮肤", "skin"),
    "mouth": Text("口腔黏膜", "mouth"),
    "joints": Text("关节", "joints"),
    "kidney": Text("肾脏", "kidney"),
    "heart": Text("心脏", "heart"),
    "lung": Text("肺", "lung"),
    "gut": Text("胃肠道", "gut"),
}

COMPATIBLE = {
    "crs": Text("CRS ≥1 级（如无其他原因）", "CRS grade ≥1 if no other cause"),
    "crs_hypotension": Text(
        "可能的 CRS ≥2 级（低血压，请立即检查）", "possible CRS grade ≥2 (hypotension; examine now)"
    ),
    "crs_hypoxia": Text("可能的 CRS ≥2 级（低氧，请立即检查）", "possible CRS grade ≥2 (hypoxia; examine now)"),
    "crs_prodrome": Text("CRS 前驱表现", "early signs of CRS"),
    "crs_late": Text("迟发 CRS（少见）", "late CRS (rare)"),
    "crs_prolonged": Text("持续的 CRS", "prolonged CRS"),
    "icans": Text("可能的 ICANS（由医护人员用 ICE 评定）", "possible ICANS (staff ICE decides)"),
    "icans_late": Text("可能的迟发神经毒性", "possible late neurotoxicity"),
    "infection": Text("感染", "infection"),
    "sepsis": Text("脓毒症", "sepsis"),
    "neutropenic_fever": Text("粒细胞缺乏伴发热", "neutropenic fever"),
    "stroke": Text("卒中", "stroke"),
    "pres": Text("PRES", "PRES"),
    "meningitis": Text("脑膜炎", "meningitis"),
    "bleeding": Text("出血", "bleeding"),
    "pneumonia": Text("肺炎", "pneumonia"),
    "pulmonary_embolism": Text("肺栓塞", "pulmonary embolism"),
    "hypoxia": Text("可能的低氧", "possible hypoxia"),
    "hypotension": Text("可能的低血压", "possible hypotension"),
    "dehydration": Text("容量不足", "volume depletion"),
    "arrhythmia": Text("心律失常", "arrhythmia"),
    "myopericarditis": Text("心肌心包炎", "myopericarditis"),
    "serositis": Text("浆膜炎", "serositis"),
    "thrombocytopenia": Text("血小板减少", "thrombocytopenia"),
    "consumption": Text("凝血消耗（DIC）", "consumption of clotting factors (DIC)"),
    "iec_hs": Text("IEC-HS", "IEC-HS"),
    "shock": Text("休克", "shock"),
    "kidney_injury": Text("急性肾损伤", "acute kidney injury"),
    "lupus_nephritis": Text("狼疮肾炎", "lupus nephritis"),
    "capillary_leak": Text("毛细血管渗漏", "capillary leak"),
    "drug_reaction": Text("药物反应", "drug reaction"),
    "licats": Text("LICATS", "LICATS"),
    "flare": Text("狼疮复发", "lupus flare"),
    "infusion_reaction": Text("输注反应", "infusion reaction"),
    "masked_fever": Text("被药物掩盖的发热", "masked fever"),
}
